/**
 * llama.cpp's C functions, from the prebuilt library of `@node-llama-cpp/linux-x64`, through koffi. The only file of this room that calls foreign
 * functions; everything else works with what it hands out.
 *
 * Models and contexts are addresses here: small whole numbers, good in the process that made them, in whatever thread.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fail } from '../../errors.ts';
import {
  contextParams,
  firstDifference,
  inWords,
  modelParams,
  pinnedVersion,
  probeBytes,
  type Struct,
  untouched,
} from './structs.ts';

const packageName = '@node-llama-cpp/linux-x64';
const koffiNames = ['@koromix/koffi-linux-x64', 'koffi'] as const;

/**
 * The functions that are used, by what they are called with: numbers, texts, addresses, memory, and structs as `byValue` makes them, never objects. koffi
 * asks an object for its fields; a thread that is being ended refuses that, koffi takes no notice, and the process is gone. Pointers that come back
 * are addresses.
 */
const prototypes = {
  llama_backend_init: 'void llama_backend_init()',
  llama_log_set: 'void llama_log_set(void *, void *)',
  llama_version: 'const char *llama_version()',
  llama_print_system_info: 'const char *llama_print_system_info()',
  llama_model_load_from_file: 'void *llama_model_load_from_file(const char *, llama_model_params)',
  llama_model_free: 'void llama_model_free(void *)',
  llama_init_from_model: 'void *llama_init_from_model(void *, llama_context_params)',
  llama_free: 'void llama_free(void *)',
  llama_n_ctx: 'uint32_t llama_n_ctx(void *)',
  llama_model_get_vocab: 'void *llama_model_get_vocab(void *)',
  llama_model_n_ctx_train: 'int32_t llama_model_n_ctx_train(void *)',
  llama_model_n_layer: 'int32_t llama_model_n_layer(void *)',
  llama_model_n_params: 'uint64_t llama_model_n_params(void *)',
  llama_model_n_swa: 'int32_t llama_model_n_swa(void *)',
  llama_model_desc: 'int32_t llama_model_desc(void *, void *, size_t)',
  llama_model_has_encoder: 'bool llama_model_has_encoder(void *)',
  llama_model_has_decoder: 'bool llama_model_has_decoder(void *)',
  llama_model_is_recurrent: 'bool llama_model_is_recurrent(void *)',
  llama_model_is_hybrid: 'bool llama_model_is_hybrid(void *)',
  llama_model_chat_template: 'const char *llama_model_chat_template(void *, const char *)',
  llama_chat_apply_template:
    'int32_t llama_chat_apply_template(const char *, void *, size_t, bool, void *, int32_t)',
  llama_vocab_n_tokens: 'int32_t llama_vocab_n_tokens(void *)',
  llama_vocab_get_text: 'const char *llama_vocab_get_text(void *, int32_t)',
  llama_vocab_get_attr: 'int32_t llama_vocab_get_attr(void *, int32_t)',
  llama_vocab_is_eog: 'bool llama_vocab_is_eog(void *, int32_t)',
  llama_tokenize: 'int32_t llama_tokenize(void *, void *, int32_t, void *, int32_t, bool, bool)',
  llama_detokenize:
    'int32_t llama_detokenize(void *, void *, int32_t, void *, int32_t, bool, bool)',
  llama_token_to_piece:
    'int32_t llama_token_to_piece(void *, int32_t, void *, int32_t, int32_t, bool)',
  llama_get_memory: 'void *llama_get_memory(void *)',
  llama_memory_clear: 'void llama_memory_clear(void *, bool)',
  llama_memory_seq_rm: 'bool llama_memory_seq_rm(void *, int32_t, int32_t, int32_t)',
  llama_memory_seq_pos_max: 'int32_t llama_memory_seq_pos_max(void *, int32_t)',
  llama_decode: 'int32_t llama_decode(void *, llama_batch)',
  llama_get_logits_ith: 'void *llama_get_logits_ith(void *, int32_t)',
  llama_state_seq_get_size: 'size_t llama_state_seq_get_size(void *, int32_t)',
  llama_state_seq_get_data: 'size_t llama_state_seq_get_data(void *, void *, size_t, int32_t)',
  llama_state_seq_set_data: 'size_t llama_state_seq_set_data(void *, void *, size_t, int32_t)',
} as const;

type Call = (...values: unknown[]) => unknown;
export type Functions = Readonly<Record<keyof typeof prototypes, Call>>;

/** An address, as koffi gives it: null is none. */
export type Address = bigint | null;

export interface Foreign {
  readonly functions: Functions;
  /** What the library says of its version. */
  readonly version: string;
  /** Whether it computes with vectors of 512 bits. */
  readonly hasAvx512: boolean;
  /** Where bytes are. They must be kept alive as long as the address is used. */
  addressOf(bytes: ArrayBufferView): bigint;
  /** Copies foreign memory into `into`, as many bytes as it has. */
  copyFrom(from: bigint, into: ArrayBufferView): void;
  /**
   * Gives memory that was freed back to the system, of all threads. Otherwise it stays in parts of the heap that are made for threads, among what is still
   * in use, and the next thread may be given another part.
   */
  returnFreed(): void;
  /** Bounds what this process may allocate, for good, and keeps it from leaving a core file. */
  limitMemory(bytes: number): void;
}

interface Library {
  func(prototype: string): Call;
}

interface Koffi {
  load(path: string | null): Library;
  address(bytes: ArrayBufferView): bigint;
}

/** Where the library is. `resolve` is `require.resolve`. @throws engine_missing, engine_incompatible */
export function findLibrary(resolve: (name: string) => string): string {
  let folder: string;
  try {
    folder = dirname(dirname(resolve(packageName)));
  } catch (error) {
    return fail('engine_missing', `The package ${packageName} cannot be found.`, error);
  }
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly version?: unknown;
  };
  if (version !== pinnedVersion) {
    fail(
      'engine_incompatible',
      `${packageName} is of version ${String(version)}; this release works with ${pinnedVersion}.`,
    );
  }
  return join(folder, 'bins', 'linux-x64');
}

/** @throws engine_missing, platform_unsupported */
export function loadKoffi(platform: string, arch: string, load: (name: string) => unknown): Koffi {
  if (platform !== 'linux' || arch !== 'x64') {
    fail('platform_unsupported', `The engine runs on Linux x64, not on ${platform} ${arch}.`);
  }
  let cause: unknown;
  for (const name of koffiNames) {
    try {
      return load(name) as Koffi;
    } catch (error) {
      cause = error;
    }
  }
  return fail('engine_missing', 'The engine needs koffi, which cannot be loaded.', cause);
}

/**
 * Compares what the library's default functions write with the table of structs.
 * @param defaults writes the defaults of a struct into memory
 * @throws engine_incompatible
 */
export function checkStructs(defaults: (struct: Struct, into: Uint8Array) => void): void {
  for (const struct of [modelParams, contextParams]) {
    const written = new Uint8Array(probeBytes).fill(untouched);
    defaults(struct, written);
    const difference = firstDifference(struct, written);
    if (difference === undefined) continue;
    fail('engine_incompatible', `llama.cpp's ${difference} is not what this release knows.`);
  }
}

/** In the order in which they need each other. */
const libraries = ['libggml-base.so', 'libggml.v0.5.0.so', 'libllama.v0.5.0.so'] as const;

/**
 * Loads the libraries for as long as the process lives. koffi lets go of what it has loaded when the collector finds that nobody holds it, or the thread
 * ends; loaded once more, libggml-base finds its own handler of uncaught exceptions set, and ends the process.
 */
function keepLoaded(folder: string, libc: Library): void {
  const dlopen = libc.func('void *dlopen(const char *, int)');
  for (const name of libraries) dlopen(join(folder, name), openNow | openGlobal | openForGood);
}

function bind(folder: string, koffi: Koffi, isSilent: boolean): Foreign {
  const libc = koffi.load(null);
  keepLoaded(folder, libc);
  // They say what is wrong where there is one that cannot be loaded.
  const [, ggml, llama] = libraries.map((name) => koffi.load(join(folder, name))) as [
    Library,
    Library,
    Library,
  ];
  checkStructs((struct, into) => {
    // A struct of this size is returned where a hidden first argument points (System V, x64).
    llama.func(`void *${struct.name.replace('_params', '_default_params')}(void *)`)(into);
  });
  const functions = Object.fromEntries(
    Object.entries(prototypes).map(([name, prototype]) => [name, llama.func(inWords(prototype))]),
  ) as Functions;
  const memcpy = libc.func('void *memcpy(void *, const void *, size_t)');
  if (isSilent) silence(functions, libc);
  const setrlimit = libc.func('int setrlimit(int, void *)');
  const trim = libc.func('int malloc_trim(size_t)');
  ggml.func('void ggml_backend_load_all_from_path(const char *)')(folder);
  functions.llama_backend_init();
  return {
    functions,
    version: String(functions.llama_version()),
    hasAvx512: String(functions.llama_print_system_info()).includes('AVX512 = 1'),
    addressOf: (bytes) => koffi.address(bytes),
    copyFrom: (from, into) => void memcpy(into, from, into.byteLength),
    returnFreed: () => void trim(0),
    limitMemory(bytes) {
      setrlimit(limitData, BigUint64Array.of(BigInt(bytes), BigInt(bytes)));
      setrlimit(limitCore, BigUint64Array.of(0n, 0n));
    },
  };
}

/**
 * The library logs to stderr, of all threads through one function of the process. A function of JavaScript must not be called from another thread, so it
 * gets one of C that takes no notice of its arguments.
 */
function silence(functions: Functions, libc: Library): void {
  const lookUp = libc.func('void *dlsym(void *, const char *)');
  functions.llama_log_set(lookUp(null, 'getpid'), null);
}

/** `RTLD_NOW`, `RTLD_GLOBAL` and `RTLD_NODELETE` of Linux. */
const openNow = 0x2;
const openGlobal = 0x100;
const openForGood = 0x1000;

/** `RLIMIT_DATA` and `RLIMIT_CORE` of Linux. */
const limitData = 2;
const limitCore = 4;

let loaded: Foreign | undefined;

/**
 * llama.cpp of this machine, loaded once per thread.
 * @param isSilent false: it says on stderr what it does
 * @throws engine_missing, engine_incompatible, platform_unsupported
 */
export function foreign(isSilent = true): Foreign {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const koffi = loadKoffi(process.platform, process.arch, require);
  const folder = findLibrary((name) => require.resolve(name));
  try {
    loaded = bind(folder, koffi, isSilent);
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw error;
    fail('engine_incompatible', `llama.cpp in ${folder} cannot be loaded.`, error);
  }
  return loaded;
}
