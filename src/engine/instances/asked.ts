/** A request as the engine has it, from the queue to its end. */

import type { GenerationResult } from '../api.ts';
import type { Due } from '../batch/due-heap.ts';
import type { Fair } from '../batch/fair-queue.ts';
import type { Work } from '../worker/protocol.ts';
import type { AnswerStream } from './answer-stream.ts';
import type { Instance } from './instance.ts';

export interface Asked extends Fair<Asked>, Due {
  readonly id: number;
  readonly work: Work;
  /** As `sessionOf` names it. */
  readonly session: string | undefined;
  readonly stream: AnswerStream;
  readonly askedAtMs: number;
  startedAtMs: number;
  /** Undefined while it waits. */
  instance: Instance | undefined;
  /** Takes the listener off its signal. */
  detach: () => void;
}

/** An instance's result with times from when it was asked. */
export function timed(asked: Asked, result: GenerationResult): GenerationResult {
  const queuedMs = asked.startedAtMs - asked.askedAtMs;
  const { timings } = result.usage;
  return {
    ...result,
    usage: {
      ...result.usage,
      timings: {
        ...timings,
        queuedMs,
        firstTokenMs: queuedMs + timings.firstTokenMs,
        totalMs: queuedMs + timings.totalMs,
      },
    },
  };
}
