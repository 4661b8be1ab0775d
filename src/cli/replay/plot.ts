/** A picture of a replay: hit ratio against capacity, a line for each policy. Pure. */

import { lineChart } from '../../base/svg.ts';
import type { SimulatedRow } from './simulate.ts';

export function plotOf(rows: readonly SimulatedRow[]): string {
  const policies = [...new Set(rows.map(({ policy }) => policy))];
  const capacities = [...new Set(rows.map(({ capacityBlocks }) => capacityBlocks))];
  return lineChart({
    title: rows[0] === undefined ? 'nothing was played' : rows[0].trace,
    xLabel: 'capacity in blocks',
    yLabel: 'hit ratio, %',
    logX: true,
    xTicks: capacities.map((capacity) => [capacity, capacity.toLocaleString('en-US')] as const),
    lines: policies.map((policy) => ({
      name: policy,
      points: rows
        .filter((row) => row.policy === policy)
        .map(({ capacityBlocks, hitRatio }) => [capacityBlocks, 100 * hitRatio] as const),
    })),
  });
}
