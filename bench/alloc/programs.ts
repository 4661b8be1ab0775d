/** The JavaScript side of every program, by name. */

import type { Heap } from './heaps/heap.ts';
import type { Play } from './player.ts';
import { FreeOnlyProgram } from './programs/free-only.ts';
import { HolesProgram } from './programs/holes.ts';
import { HouseProgram } from './programs/house.ts';
import { LarsonProgram } from './programs/larson.ts';
import type { Program, Team } from './programs/program.ts';
import { queueBytes } from './programs/queue.ts';
import { ReplayProgram } from './programs/replay.ts';
import { ScratchProgram } from './programs/scratch.ts';
import { XmallocProgram } from './programs/xmalloc.ts';

export function openProgram<H>(heap: Heap<H>, play: Play, worker: number, team: Team): Program {
  switch (play.program) {
    case 'house':
      return new HouseProgram(heap, play, worker);
    case 'larson':
      return new LarsonProgram(heap, play, worker, team);
    case 'xmalloc':
      return new XmallocProgram(heap, play, worker, team);
    case 'scratch':
      return new ScratchProgram(heap, play, worker, team);
    case 'free-only':
      return new FreeOnlyProgram(heap, play, worker, team);
    case 'replay':
      return new ReplayProgram(heap, play);
    case 'holes':
      return new HolesProgram(heap, play);
    default:
      throw new Error(`no program ${play.program}`);
  }
}

/** Bytes that the workers of a program share beside the heap. */
export function boardBytes(play: Play): number {
  switch (play.program) {
    case 'larson':
      return play.workers * play.slots * 4;
    case 'xmalloc':
      return queueBytes(play.a, play.slots);
    case 'scratch':
      return play.workers * 4;
    case 'free-only':
      return queueBytes(play.a, play.b);
    default:
      return 0;
  }
}
