/**
 * The structs that llama.cpp takes by value, as they are in the pinned version, and what its own default functions write into them. A library
 * whose defaults are others, at other places, or longer, is another version: nothing of it is called.
 *
 * ```
 * llama_model_params, 80 bytes                        llama_context_params, 160 bytes
 *  0 devices*             8 tensor_buft_overrides*     0 n_ctx               4 n_batch             8 n_ubatch          12 n_seq_max
 * 16 n_gpu_layers  -1    20 split_mode         1      16 n_rs_seq           20 n_outputs_max      24 n_outputs_max_per_seq
 * 24 load_mode     -1    28 lazy_mode          1      28 n_threads          32 n_threads_batch    36 ctx_type
 * 32 main_gpu             (36 gap)                    40 rope_scaling  -1   44 pooling       -1   48 attention     -1  52 flash_attn -1
 * 40 tensor_split*       48 progress_callback*        56 rope_freq_base     60 rope_freq_scale    64 yarn ext, attn, beta fast, beta slow -1.0
 * 56 its user data*      64 kv_overrides*             80 yarn_orig_ctx      84 defrag_thold -1.0  88 cb_eval*          96 its user data*
 * 72 vocab_only          73 check_tensors            104 type_k        1   108 type_v         1  112 abort_callback* 120 its user data*
 * 74 use_extra_bufts 1   75 no_host                  128 embeddings        129 offload_kqv    1  130 no_perf       1 131 op_offload 1
 * 76 no_alloc            77 load_mtp                 132 swa_full      1   133 kv_unified        136 samplers*       144 n_samplers
 *                                                    152 ctx_other*
 *
 * llama_batch, 56 bytes:  0 n_tokens  (4 gap)  8 token*  16 embd*  24 pos*  32 n_seq_id*  40 seq_id**  48 logits*
 * ```
 */

/** The version of `@node-llama-cpp/linux-x64` whose structs these are. */
export const pinnedVersion = '3.22.1';

type FieldType = 'u8' | 'i32' | 'u32' | 'f32' | 'ptr';

interface Field {
  readonly at: number;
  readonly type: FieldType;
  /** What the library's default function writes. */
  readonly value: number;
}

type Fields = Readonly<Record<string, Field>>;

export interface Struct {
  readonly name: string;
  readonly sizeBytes: number;
  readonly fields: Fields;
}

function at(offset: number, type: FieldType, value = 0): Field {
  return { at: offset, type, value };
}

export const modelParams: Struct = {
  name: 'llama_model_params',
  sizeBytes: 80,
  fields: {
    devices: at(0, 'ptr'),
    tensorBuftOverrides: at(8, 'ptr'),
    nGpuLayers: at(16, 'i32', -1),
    splitMode: at(20, 'i32', 1),
    loadMode: at(24, 'i32', -1),
    lazyMode: at(28, 'i32', 1),
    mainGpu: at(32, 'i32'),
    tensorSplit: at(40, 'ptr'),
    progressCallback: at(48, 'ptr'),
    progressData: at(56, 'ptr'),
    kvOverrides: at(64, 'ptr'),
    vocabOnly: at(72, 'u8'),
    checkTensors: at(73, 'u8'),
    useExtraBufts: at(74, 'u8', 1),
    noHost: at(75, 'u8'),
    noAlloc: at(76, 'u8'),
    loadMtp: at(77, 'u8'),
  },
};

export const contextParams: Struct = {
  name: 'llama_context_params',
  sizeBytes: 160,
  fields: {
    nCtx: at(0, 'u32', 512),
    nBatch: at(4, 'u32', 2048),
    nUbatch: at(8, 'u32', 512),
    nSeqMax: at(12, 'u32', 1),
    nRsSeq: at(16, 'u32'),
    nOutputsMax: at(20, 'u32'),
    nOutputsMaxPerSeq: at(24, 'u32', 1),
    nThreads: at(28, 'i32', 4),
    nThreadsBatch: at(32, 'i32', 4),
    ctxType: at(36, 'i32'),
    ropeScaling: at(40, 'i32', -1),
    pooling: at(44, 'i32', -1),
    attention: at(48, 'i32', -1),
    flashAttn: at(52, 'i32', -1),
    ropeFreqBase: at(56, 'f32'),
    ropeFreqScale: at(60, 'f32'),
    yarnExtFactor: at(64, 'f32', -1),
    yarnAttnFactor: at(68, 'f32', -1),
    yarnBetaFast: at(72, 'f32', -1),
    yarnBetaSlow: at(76, 'f32', -1),
    yarnOrigCtx: at(80, 'u32'),
    defragThold: at(84, 'f32', -1),
    cbEval: at(88, 'ptr'),
    cbEvalData: at(96, 'ptr'),
    typeK: at(104, 'i32', 1),
    typeV: at(108, 'i32', 1),
    abortCallback: at(112, 'ptr'),
    abortData: at(120, 'ptr'),
    embeddings: at(128, 'u8'),
    offloadKqv: at(129, 'u8', 1),
    noPerf: at(130, 'u8', 1),
    opOffload: at(131, 'u8', 1),
    swaFull: at(132, 'u8', 1),
    kvUnified: at(133, 'u8'),
    samplers: at(136, 'ptr'),
    nSamplers: at(144, 'ptr'),
    ctxOther: at(152, 'ptr'),
  },
};

export const batchBytes = 56;

/**
 * A struct of more than 16 bytes is passed on the stack (System V, x64). So are whole numbers that no register is left for:
 * ```
 * rdi: what comes before the struct │ rsi, rdx, rcx, r8, r9: nothing │ stack: the words of the struct
 * ```
 */
const freeRegisters: readonly bigint[] = [0n, 0n, 0n, 0n, 0n];

/** The prototype of a function with whole numbers for a struct, which is the second and last of what it is called with. */
export function inWords(prototype: string): string {
  const batch = { name: 'llama_batch', sizeBytes: batchBytes };
  let result = prototype;
  for (const { name, sizeBytes } of [modelParams, contextParams, batch]) {
    const words = freeRegisters.length + sizeBytes / 8;
    result = result.replace(name, Array.from({ length: words }, () => 'uint64_t').join(', '));
  }
  return result;
}

/** What a function of `inWords` is called with for a struct. */
export function byValue(words: BigUint64Array): bigint[] {
  return [...freeRegisters, ...words];
}

/** What memory is filled with before a default function writes into it, so that it shows what was written. */
export const untouched = 0xa5;
/** More than any of the structs has. */
export const probeBytes = 512;

const sizes: Readonly<Record<FieldType, number>> = { u8: 1, i32: 4, u32: 4, f32: 4, ptr: 8 };

function write(fields: DataView, { at: offset, type }: Field, value: number): void {
  if (type === 'u8') fields.setUint8(offset, value);
  else if (type === 'f32') fields.setFloat32(offset, value, true);
  else if (type === 'i32') fields.setInt32(offset, value, true);
  else if (type === 'u32') fields.setUint32(offset, value, true);
  else fields.setBigUint64(offset, BigInt(value), true);
}

/** Memory as a default function of this struct leaves it when it was filled with `untouched` before: gaps stay as they were. */
export function expectedDefaults({ fields }: Struct): Uint8Array {
  const bytes = new Uint8Array(probeBytes).fill(untouched);
  const view = new DataView(bytes.buffer);
  for (const field of Object.values(fields)) write(view, field, field.value);
  return bytes;
}

/**
 * Where what the library wrote differs from this table: the name of the field, or the byte where there is none; undefined where it does not.
 * @param written `probeBytes` that were `untouched` before
 */
export function firstDifference(struct: Struct, written: Uint8Array): string | undefined {
  const expected = expectedDefaults(struct);
  const byte = expected.findIndex((value, index) => value !== written[index]);
  if (byte < 0) return undefined;
  for (const [name, { at: offset, type }] of Object.entries(struct.fields)) {
    if (byte >= offset && byte < offset + sizes[type]) return `${struct.name}.${name}`;
  }
  return `${struct.name}, byte ${byte}`;
}

/** A struct with its defaults, but for `changes`, as the words that it is passed in. */
export function structOf(
  { sizeBytes, fields }: Struct,
  changes: Readonly<Record<string, number>>,
): BigUint64Array {
  const words = new BigUint64Array(sizeBytes / 8);
  const view = new DataView(words.buffer);
  for (const [name, field] of Object.entries(fields)) {
    write(view, field, changes[name] ?? field.value);
  }
  return words;
}
