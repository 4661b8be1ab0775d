/** put of one process, and of two at once, into one pool. */

import { Histogram } from '../../src/base/histogram.ts';
import { type Row, toRow } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { sizeName } from '../store/pools.ts';
import { Writer } from './writer.ts';

export interface ManyPutCase {
  readonly sizeBytes: number;
  readonly count: number;
}

const roundMs = 500;

export function manyPutScenario(it: ManyPutCase): Scenario {
  return { name: `put-${sizeName(it.sizeBytes)}`, run: (context) => runPut(it, context) };
}

async function runPut(it: ManyPutCase, context: Context): Promise<Row[]> {
  const path = `${context.folder}/pool`;
  const writers = [
    await Writer.start('pool', path, it.count, it.sizeBytes, 11),
    await Writer.start('pool', path, it.count, it.sizeBytes, 12, 1),
  ];
  const rounds = context.quick ? 3 : 7;
  const one = await measure(writers.slice(0, 1), rounds);
  const two = await measure(writers, rounds);
  for (const writer of writers) await writer.end();
  return [one, two].map((perSecond, i) => {
    const roundsNs = perSecond.map((rate) => 1e9 / rate);
    const histogram = new Histogram();
    for (const ns of roundsNs) histogram.record(ns);
    const name = i === 0 ? 'one writer' : 'two writers';
    const note = i === 0 ? '' : `${(median(perSecond) / median(one)).toFixed(2)} × what one writes`;
    const measured = { name, batch: 1, roundsNs, histogram, settled: true };
    return toRow('many', `put-${sizeName(it.sizeBytes)}`, measured, { note, workers: i + 1 });
  });
}

/** @returns puts per second of all together, per round */
async function measure(writers: readonly Writer[], rounds: number): Promise<number[]> {
  const perSecond: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    for (const writer of writers) writer.run();
    await new Promise((resolve) => setTimeout(resolve, roundMs));
    const rates = await Promise.all(writers.map((writer) => writer.pause()));
    if (round >= 0) perSecond.push(rates.reduce((sum, rate) => sum + rate, 0));
  }
  return perSecond;
}
