/** Recording a house workload, and playing a recording against everybody. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { castOf } from './cast.ts';
import { heapNames } from './heaps/heap.ts';
import { openOurs } from './heaps/ours.ts';
import { emptyPlay, type Play } from './player.ts';
import { HouseProgram } from './programs/house.ts';
import { recorded } from './recorder.ts';
import { toAllocRow } from './rows.ts';
import { playTogether } from './turns.ts';
import { readTrace, scriptOf, type TraceEvent, writeTrace } from './trace.ts';

const recordedOperations = 1_000_000;
/** Operations of one worker before the next has its turn. */
const turnOperations = 1000;
const mib = 2 ** 20;

/** Plays a house workload once with our allocator, all workers in turn, and writes what it does to `file`. */
export function recordHouse(play: Play, file: string, context: Context): void {
  const { workers } = play;
  const operations = context.operations ?? (context.quick ? 20_000 : recordedOperations);
  const startMs = performance.now();
  const nowUs = (): number => (performance.now() - startMs) * 1000;
  const ours = openOurs({ capacityBytes: 256 * mib * workers, aligned: play.aligned });
  const taped = Array.from({ length: workers }, (_, i) => recorded(ours, i, workers, nowUs));
  const houses = taped.map(({ heap }, worker) => new HouseProgram(heap, play, worker));
  for (let done = 0; done < operations; done += turnOperations) {
    for (const house of houses) house.round(Math.min(turnOperations, operations - done));
  }
  const events = taped.flatMap((tape): readonly TraceEvent[] => tape.events);
  writeTrace(
    file,
    events.toSorted((a, b) => a.timeUs - b.timeUs),
  );
  context.log(`  recorded ${events.length} operations to ${file}`);
}

/** Runs only when there is a recording to play. */
export const replayScenario: Scenario = {
  name: 'replay',
  async run(context): Promise<Row[]> {
    if (context.replay === undefined) return [];
    const { words, slots, operations, peakLiveBytes } = scriptOf(readTrace(context.replay));
    const file = join(context.folder, 'script');
    writeFileSync(file, words);
    const play: Play = { ...emptyPlay, program: 'replay', workers: 1, slots, file };
    const capacityBytes = Math.max(256 * mib, 2 ** Math.ceil(Math.log2(2 * peakLiveBytes)));
    const members = castOf(heapNames, () => ({ capacityBytes, aligned: false }), context);
    const played = await playTogether(members, play, {
      operations: Math.max(operations, context.quick ? 0 : recordedOperations),
      rounds: context.quick ? 3 : 7,
      warmupRoundsMax: context.quick ? 1 : 12,
      roundMsMax: context.quick ? 50 : 500,
      fillOperations: operations,
      fillMsMax: context.quick ? 200 : 2000,
      log: context.log,
    });
    const note = `${operations} operations, ${peakLiveBytes} B live at the peak`;
    return played.map((one) =>
      toAllocRow({ workload: 'replay', play, one, played, bars: [], note }),
    );
  },
};
