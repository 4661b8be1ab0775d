/** What the suite `store` measures, and the bars it is held against. */

import type { Scenario, Suite } from '../harness/suite.ts';
import { firstTouchScenario } from './first-touch.ts';
import { fullScenario } from './full.ts';
import { getScenario } from './get.ts';
import { regionTypes, type RegionType, sizeName } from './pools.ts';
import { putScenario } from './put.ts';

const randomBarNs = 500;
const hotBarNs = 200;
const kib = 2 ** 10;
const mib = 2 ** 20;

/** As many ids as 24 GiB hold twice: once in the pool and once in lmdb. */
const getSizes: readonly (readonly [sizeBytes: number, count: number])[] = [
  [kib, 100_000],
  [64 * kib, 100_000],
  [mib, 6_000],
];

/** Each size within the cache of the processor (16 MiB) and far beyond it (256 MiB). */
const putSizes: readonly (readonly [sizeBytes: number, count: number])[] = [
  [kib, 16_384],
  [64 * kib, 256],
  [64 * kib, 4096],
  [mib, 16],
  [mib, 256],
];

/** Of what a full pool takes: of one length, and of lengths between two. */
const fullLengths: readonly (readonly [fromBytes: number, toBytes: number])[] = [
  [kib, kib],
  [16 * kib, 16 * kib],
  [64 * kib, 64 * kib],
  [64, 4 * kib],
  [64, 64 * kib],
];

function scenariosOf(region: RegionType): Scenario[] {
  const gets = getSizes.map(([sizeBytes, count]) =>
    getScenario({
      name: `get-${sizeName(sizeBytes)}-${region}`,
      region,
      sizeBytes,
      ids: 'conversation',
      count,
      hot: false,
      barNs: randomBarNs,
    }),
  );
  const others = [
    getScenario({
      name: `get-1KiB-${region}-uuid`,
      region,
      sizeBytes: kib,
      ids: 'uuid',
      count: 100_000,
      hot: false,
    }),
    getScenario({
      name: `get-1KiB-${region}-hot`,
      region,
      sizeBytes: kib,
      ids: 'conversation',
      count: 100_000,
      hot: true,
      barNs: hotBarNs,
    }),
  ];
  const puts = putSizes.map(([sizeBytes, count]) =>
    putScenario({
      name: `put-${sizeName(sizeBytes)}-${region}-${(sizeBytes * count) / mib}MiB`,
      region,
      sizeBytes,
      count,
      withBars: sizeBytes >= 64 * kib,
    }),
  );
  const touches = [kib, 64 * kib, mib].map((sizeBytes) =>
    firstTouchScenario({
      name: `touch-${sizeName(sizeBytes)}-${region}`,
      region,
      sizeBytes,
      totalBytes: 256 * mib,
    }),
  );
  const fulls = fullLengths.map(([fromBytes, toBytes]) =>
    fullScenario({
      name: `full-${fromBytes === toBytes ? '' : 'to-'}${sizeName(toBytes)}-${region}`,
      region,
      fromBytes,
      toBytes,
    }),
  );
  return [...gets, ...others, ...puts, ...touches, ...fulls];
}

export const storeSuite: Suite = {
  name: 'store',
  scenarios: regionTypes.flatMap(scenariosOf),
  workersMax: 1,
};
