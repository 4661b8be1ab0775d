/**
 * Lint rules, and the arrows between the rooms of src: a room imports only rooms to its left.
 * (A module rather than JSON, because the arrows are one table.)
 */

import { defineConfig } from 'oxlint';

/** Rooms from left to right; rooms in one row are siblings and do not know each other. */
const rows = [
  ['base'],
  ['memory'],
  ['alloc'],
  ['rent', 'evict'],
  ['store', 'kv'],
  ['codec'],
  ['tier'],
  ['pool'],
  ['engine'],
  ['guard', 'telemetry', 'tune'],
  ['server'],
  ['cluster'],
  ['cli'],
];

/** Folders of a room may be nested this deep. */
const depthMax = 3;

/** The foreign function interface to the operating system, under each name it can be loaded by. */
const foreignFunctions = {
  regex: '^(koffi|@koromix/.*)$',
  message:
    'Only src/memory/os.ts calls the operating system, and src/engine/llama/foreign.ts llama.cpp.',
};

const itself = { regex: '^cenote(/|$)', message: 'Inside src, import the file that declares it.' };

/** @typedef {import('oxlint').OxlintOverride} Override */
/** @typedef {{ regex: string, message: string }} Pattern */

/**
 * What files of `room` may not import: the public entry and every room that is not to their left.
 *
 * @param {string} room
 * @param {number} row
 * @param {number} depth 1: directly in the room's folder
 * @returns {Pattern[]}
 */
function arrowPatterns(room, row, depth) {
  const forbidden = rows
    .slice(row)
    .flat()
    .filter((other) => other !== room);
  const up = '\\.\\./'.repeat(depth);
  const message = `Arrows: ${room}/ imports only rooms to its left (see CONTRIBUTING.md).`;
  return [
    itself,
    { regex: `^${up}index\\.ts$`, message: 'A room does not import the public entry.' },
    ...(forbidden.length > 0 ? [{ regex: `^${up}(${forbidden.join('|')})/`, message }] : []),
  ];
}

/** The arrows, an override per room and depth. @type {Override[]} */
const arrows = rows.flatMap((rooms, row) =>
  rooms.flatMap((room) =>
    Array.from({ length: depthMax }, (_, index) => ({
      files: [`src/${room}/${'*/'.repeat(index)}*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          { patterns: [foreignFunctions, ...arrowPatterns(room, row, index + 1)] },
        ],
      },
    })),
  ),
);

/** Rules for parts of the tree. @type {Override[]} */
const places = [
  {
    // Plain JavaScript, where a type must be claimed rather than narrowed to.
    files: ['**/*.{js,mjs}'],
    rules: {
      'typescript/no-unnecessary-type-assertion': 'off',
      'typescript/prefer-readonly': 'off',
      'typescript/no-unsafe-assignment': 'off',
      'typescript/no-unsafe-call': 'off',
      'typescript/no-unsafe-member-access': 'off',
      'typescript/no-unsafe-return': 'off',
    },
  },
  {
    files: ['src/errors.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '.', message: 'The error table stands alone.' }] },
      ],
    },
  },
  {
    files: ['src/*.ts'],
    excludeFiles: ['src/errors.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [foreignFunctions, itself] }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'typescript/no-non-null-assertion': 'off' },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'import/no-cycle': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 350 }],
      'max-lines-per-function': ['error', { max: 80, skipComments: true }],
      'import/no-default-export': 'error',
    },
  },
  {
    // Time and randomness are given, so that tests can give their own.
    files: ['src/**/*.ts'],
    excludeFiles: ['src/base/**', 'src/cli/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take a Clock (src/base/clock.ts).' },
        { object: 'Math', property: 'random', message: 'Take a random source (src/base).' },
      ],
    },
  },
  {
    // Any access to pool memory must be one that tests can make fail.
    files: ['src/memory/**', 'src/alloc/**', 'src/store/**'],
    excludeFiles: ['src/memory/words.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'Atomics', message: 'Access pool memory through src/memory/words.ts.' },
      ],
    },
  },
  {
    // The one place that calls the operating system; otherwise the arrows of its room hold there too.
    files: ['src/memory/os.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: arrowPatterns('memory', 1, 1) }] },
  },
  {
    // The one place that calls llama.cpp.
    files: ['src/engine/llama/foreign.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: arrowPatterns('engine', 8, 2) }] },
  },
];

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['dist', 'coverage', 'bench-results'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    // Not for us: index access and parsed input are narrowed with `as` where a check stands beside it.
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/no-misused-spread': 'off',
    'unicorn/no-array-reverse': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'no-underscore-dangle': 'off',
    // The compiler knows it better, as noImplicitReturns.
    'typescript/consistent-return': 'off',
    // Other threads and processes modify what a loop waits for.
    'no-unmodified-loop-condition': 'off',
    // Terminals are spoken to in control characters.
    'no-control-regex': 'off',
    // Of browsers, and of callback interfaces.
    'promise/no-promise-in-callback': 'off',
    'unicorn/require-post-message-target-origin': 'off',
    // fast-check is used as `fc`.
    'import/no-named-as-default-member': 'off',
    // Tests assert in helpers, over tables of cases.
    'vitest/expect-expect': 'off',
    'vitest/no-conditional-expect': 'off',
    'vitest/valid-title': 'off',

    eqeqeq: 'error',
    'no-else-return': 'error',
    'no-useless-return': 'error',
    'no-var': 'error',
    'no-warning-comments': 'error',
    'object-shorthand': 'error',
    'prefer-const': 'error',
    'import/no-duplicates': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/prefer-readonly': 'error',
    'typescript/return-await': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    'unicorn/prefer-node-protocol': 'error',
    'vitest/no-focused-tests': 'error',
    'vitest/no-identical-title': 'error',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
  },
  overrides: [...arrows, ...places],
});
