/** `cenote/node-llama-cpp`: sequences of that package kept in a pool, and brought back from there. */

export { checkpoint, type CheckpointOptions, type KeptState } from './checkpoint.ts';
export { resume, type ResumeOptions } from './resume.ts';
export type { NodeLlamaContext, NodeLlamaModel, NodeLlamaSequence } from './sequence.ts';
