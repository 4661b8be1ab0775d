/** Colours and widths of terminal text. Pure. */

export type Paint = (text: string) => string;

/** What the commands colour with. The plain palette returns text as it is. */
export interface Palette {
  readonly colours: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  /** One colour per kind, in the order of `kinds`. */
  readonly kinds: readonly Paint[];
}

function sgr(open: string, close: string): Paint {
  return (text) => (text === '' ? '' : `\x1b[${open}m${text}\x1b[${close}m`);
}

const plain: Paint = (text) => text;

export const plainPalette: Palette = {
  colours: false,
  bold: plain,
  dim: plain,
  red: plain,
  green: plain,
  yellow: plain,
  cyan: plain,
  kinds: [plain, plain, plain, plain, plain],
};

/** 256-colour codes that keep their contrast on dark and on light ground, and differ in lightness for the colour-blind. */
export const colourPalette: Palette = {
  colours: true,
  bold: sgr('1', '22'),
  dim: sgr('2', '22'),
  red: sgr('31', '39'),
  green: sgr('32', '39'),
  yellow: sgr('33', '39'),
  cyan: sgr('36', '39'),
  kinds: ['38;5;178', '38;5;39', '38;5;71', '38;5;170', '38;5;209'].map((code) => sgr(code, '39')),
};

/** Whether to colour an output, by the conventions NO_COLOR, FORCE_COLOR and TERM=dumb. */
export function palette(isTTY: boolean, env: NodeJS.ProcessEnv): Palette {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return plainPalette;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return colourPalette;
  return isTTY && env['TERM'] !== 'dumb' ? colourPalette : plainPalette;
}

const sequences = /\x1b\[[0-9;?]*[A-Za-z]/g;

export function stripAnsi(text: string): string {
  return text.replace(sequences, '');
}

/** Columns that `text` takes. Everything the commands print is one column wide per character. */
export function visibleWidth(text: string): number {
  return [...stripAnsi(text)].length;
}

/** Cuts to `width` columns, keeping escape sequences whole, and resets colours when something was cut. */
export function fit(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  let out = '';
  let left = Math.max(0, width - 1);
  let at = 0;
  sequences.lastIndex = 0;
  for (let match = sequences.exec(text); left > 0; match = sequences.exec(text)) {
    const characters = Array.from(text.slice(at, match?.index)).slice(0, left);
    out += characters.join('');
    left -= characters.length;
    if (match === null || left === 0) break;
    out += match[0];
    at = sequences.lastIndex;
  }
  const coloured = out.includes('\x1b[');
  return width <= 0 ? '' : `${out}…${coloured ? '\x1b[0m' : ''}`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - visibleWidth(text))) + text;
}

/** Control characters of text that came from outside (ids, paths) made visible, so that they cannot steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
