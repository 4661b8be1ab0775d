/** Memory nodes: what sysfs says of machines of several sorts, and what the kernel of this one does. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { addressOf } from '../../src/memory/mapping.ts';
import { memoryNodeFor, parseIdList, readTopology } from '../../src/memory/numa-topology.ts';
import type { Topology } from '../../src/memory/numa-topology.ts';
import { bind, placeSegment, thisTopology } from '../../src/memory/numa.ts';
import { osCalls } from '../../src/memory/os.ts';
import type { OsCalls } from '../../src/memory/os.ts';
import { pageBytes } from '../../src/memory/region.ts';
import type { Segment } from '../../src/memory/region.ts';
import { createSharedRegion } from '../../src/memory/shared.ts';
import { identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';
import { sysfsTrees, treeFiles } from './support/sysfs-trees.ts';
import type { SysfsTree } from './support/sysfs-trees.ts';

const options = { capacityBytes: 8 * mib, segmentBytes: 4 * mib, ...identity };

function topologyOf(tree: SysfsTree): Topology {
  return readTopology(treeFiles(tree));
}

/** Node by node: number, how many processors, whether it has memory. */
function summary(topology: Topology): (number | boolean)[][] {
  return topology.map(({ id, cpus, hasMemory }) => [id, cpus.length, hasMemory]);
}

describe('a list of numbers', () => {
  it('is read as the kernel writes it', () => {
    expect(parseIdList('0\n')).toEqual([0]);
    expect(parseIdList('0-3,8,10-11\n')).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parseIdList('\n')).toEqual([]);
    expect(parseIdList('')).toEqual([]);
  });

  it.each([
    'x',
    '0-',
    '-1',
    '3-1',
    '0,,1',
    '0,',
    '1,1',
    '4,2',
    '0-3,2-5',
    '0-65536',
    '0-99999999999',
    '1.5',
    '0x2',
  ])('is none: %s', (text) => {
    expect(parseIdList(text)).toBeUndefined();
  });
});

describe('the nodes', () => {
  it('of each machine are read', () => {
    expect(summary(topologyOf(sysfsTrees.oneNode))).toEqual([[0, 2, true]]);
    expect(summary(topologyOf(sysfsTrees.twoSockets))).toEqual([
      [0, 128, true],
      [1, 128, true],
    ]);
    expect(summary(topologyOf(sysfsTrees.expanders))).toEqual([
      [0, 32, true],
      [1, 32, true],
      [2, 0, true],
      [3, 0, true],
    ]);
    expect(summary(topologyOf(sysfsTrees.offline))).toEqual([
      [0, 16, true],
      [2, 16, true],
    ]);
    expect(summary(topologyOf(sysfsTrees.sparse))).toEqual([
      [0, 80, true],
      [8, 80, true],
      ...[252, 253, 254, 255].map((id) => [id, 0, true]),
    ]);
    expect(summary(topologyOf(sysfsTrees.memoryless))).toEqual([
      [0, 16, true],
      [1, 16, false],
      [2, 16, true],
    ]);
    expect(topologyOf(sysfsTrees.twoSockets)[1]?.cpus.slice(62, 66)).toEqual([126, 127, 192, 193]);
    expect(topologyOf(sysfsTrees.sparse)[1]?.distances).toEqual([40, 10, 80, 80, 80, 80]);
  });

  it('are there without what is missing or makes no sense', () => {
    expect(topologyOf(sysfsTrees.hidden)).toEqual([
      { id: 0, cpus: [], hasMemory: true, distances: [10, 20] },
      { id: 1, cpus: [], hasMemory: true, distances: [20, 10] },
    ]);
    expect(topologyOf({})).toEqual([]);
    expect(topologyOf({ online: 'all of them' })).toEqual([]);
  });

  it('are read from files, and from those of this machine', () => {
    const folder = temporaryFolder();
    for (const [path, text] of Object.entries(sysfsTrees.expanders)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const files = { read: (path: string): string => readFileSync(path, 'latin1') };
    expect(readTopology(files, folder)).toEqual(topologyOf(sysfsTrees.expanders));
    expect(thisTopology()).toEqual(readTopology(files));
  });
});

describe('memory for a thread', () => {
  it.each([
    ['oneNode', [[0, undefined]]],
    [
      'twoSockets',
      [
        [0, 0],
        [1, 1],
        [2, undefined],
      ],
    ],
    [
      'expanders',
      [
        [0, 0],
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    ],
    [
      'offline',
      [
        [0, 0],
        [2, 2],
        [1, undefined],
      ],
    ],
    [
      'sparse',
      [
        [0, 0],
        [8, 8],
        [254, 254],
        [1, undefined],
      ],
    ],
    [
      'memoryless',
      [
        [0, 0],
        [1, 2],
        [2, 2],
      ],
    ],
    [
      'hidden',
      [
        [0, 0],
        [1, 1],
      ],
    ],
  ] as const)('is taken from the nearest node that has some: %s', (name, expected) => {
    const topology = topologyOf(sysfsTrees[name]);
    for (const [node, memory] of expected)
      expect([node, memoryNodeFor(topology, node)]).toEqual([node, memory]);
  });
});

/** Calls that note what is asked of the kernel, on a machine where this thread runs on `node`. */
function noting(node: number | undefined, takes = true): { asked: number[]; os: OsCalls } {
  const asked: number[] = [];
  const os: OsCalls = {
    ...osCalls(),
    currentNode: () => node,
    preferNode(_address, _sizeBytes, wanted) {
      asked.push(wanted);
      return takes;
    },
  };
  return { asked, os };
}

describe('a new segment', () => {
  const { twoSockets, oneNode, memoryless } = sysfsTrees;

  it.each([
    ['is placed near to its thread', twoSockets, 1, true, 1, [1]],
    ['is placed near to a node without memory', memoryless, 1, true, 2, [2]],
    ['is placed nowhere when the kernel refuses', twoSockets, 1, false, undefined, [1]],
    ['is placed nowhere on one node', oneNode, 0, true, undefined, []],
    ['is placed nowhere when nobody knows where', twoSockets, undefined, true, undefined, []],
    ['is placed nowhere from a node that is not there', twoSockets, 7, true, undefined, []],
    ['is placed nowhere on a machine that says nothing', {}, 0, true, undefined, []],
  ] as const)('%s', (_, tree, node, takes, placed, expected) => {
    const region = createSharedRegion(options);
    const { asked, os } = noting(node, takes);
    expect(placeSegment(segmentOf(region, 0), os, topologyOf(tree))).toBe(placed);
    expect(asked).toEqual(expected);
    region.close();
  });
});

/** The kernel's word on the mapping that begins at `address`. */
function policyAt(address: number): string | undefined {
  const maps = readFileSync('/proc/self/numa_maps', 'latin1').split('\n');
  const at = address.toString(16).padStart(8, '0');
  return maps.find((line) => line.startsWith(`${at} `))?.split(' ')[1];
}

/** Whether the kernel of this machine lets this process ask for nodes. */
const mayBind = ((): boolean => {
  const [first] = thisTopology();
  if (process.platform !== 'linux' || first === undefined) return false;
  const region = createSharedRegion(options);
  return bind(segmentOf(region, 0), first.id);
})();

describe.skipIf(!mayBind)('the kernel (needs leave to call mbind)', () => {
  function firstPage(segment: Segment): number {
    return Math.ceil(addressOf(segment, osCalls()) / pageBytes) * pageBytes;
  }

  it('takes a node for shared and for mapped segments', () => {
    const node = thisTopology()[0]?.id ?? 0;
    const shared = createSharedRegion(options);
    const mapped = openMappedRegion(join(temporaryFolder(), 'pool'), 'own', options);
    for (const region of [shared, mapped]) {
      const segment = segmentOf(region, 0);
      expect(bind(segment, node)).toBe(true);
      expect(policyAt(firstPage(segment))).toBe(`prefer:${node}`);
      segment.bytes.fill(3, mib);
      expect(segment.bytes.at(-1)).toBe(3);
      region.close();
    }
  });

  it('refuses nodes that it does not have', () => {
    const region = createSharedRegion(options);
    for (const node of [-1, 1023, 1024, 2 ** 31, Number.NaN])
      expect(bind(segmentOf(region, 0), node)).toBe(false);
    region.close();
  });

  it('knows on which node this thread runs', () => {
    expect(thisTopology().map(({ id }) => id)).toContain(osCalls().currentNode());
  });
});
