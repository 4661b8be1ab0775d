/** A sequence that makes tokens. */

import { grown } from '../../base/grown.ts';
import type { ContinuousRequest, ContinuousResult, Run } from './continuous-api.ts';
import { Caller } from './caller.ts';
import type { Due } from './due-heap.ts';
import type { Fair, Lane } from './fair-queue.ts';

export const noSlot = -1;
/** Room for so much of the answer is there from the beginning. */
const answerRoomTokens = 64;

export class TokenRun<M> implements Run<M>, Fair<TokenRun<M>>, Due {
  readonly meta: M;
  readonly tenant: string;
  tokens: Int32Array;
  length: number;
  computed = 0;
  slot: number = noSlot;
  readonly promptLength: number;
  /** It ends when it has so many. */
  readonly lengthMax: number;
  readonly deadlineMs: number;
  readonly onToken: ((token: number) => boolean) | undefined;
  readonly caller: Caller<ContinuousResult>;
  phase: 'waiting' | 'running' | 'over' = 'waiting';
  /** Why it is over. */
  ending: 'finished' | 'failed' | 'expired' | 'cancelled' = 'finished';
  /** At the first begin; −1: it has not been. */
  restoredTokens = -1;
  /** The step before which it had its slot. */
  admittedStep = 0;
  cost = 1;
  lane: Lane<TokenRun<M>> | undefined;
  before: TokenRun<M> | undefined;
  after: TokenRun<M> | undefined;
  dueMs: number = Infinity;
  dueTurn = 0;
  heapIndex: number = -1;

  constructor(
    request: ContinuousRequest<M>,
    contextTokens: number,
    gaveUp: (run: TokenRun<M>) => void,
  ) {
    this.meta = request.meta;
    this.tenant = request.tenant ?? '';
    this.promptLength = this.length = request.tokens.length;
    this.lengthMax = Math.min(this.length + request.maxTokens, contextTokens);
    const room = Math.min(this.lengthMax, this.length + answerRoomTokens);
    this.tokens = new Int32Array(room);
    this.tokens.set(request.tokens);
    this.deadlineMs = request.deadlineMs ?? Infinity;
    this.onToken = request.onToken;
    this.caller = new Caller(request.signal, () => gaveUp(this));
  }

  /** Tokens that are not in the state yet. One: the last one of the answer so far, and the next follows from it. */
  get missing(): number {
    return this.length - this.computed;
  }

  append(token: number): void {
    if (this.length === this.tokens.length) {
      const room = Math.min(this.lengthMax, 2 * this.length);
      this.tokens = grown(this.tokens, room);
    }
    this.tokens[this.length] = token;
    this.length += 1;
  }

  result(reason: ContinuousResult['reason']): ContinuousResult {
    const tokens = this.tokens.slice(this.promptLength, this.length);
    return { tokens, reason, restoredTokens: this.restoredTokens };
  }
}
