/**
 * The machine's memory nodes, from sysfs. A node has processors, memory, or both: processors without memory and memory without
 * processors (CXL, GPUs) exist, numbers have gaps, and nodes can be offline.
 *
 * What is missing or makes no sense is left out: placement is a matter of speed, and no reason to fail.
 */

export const numaRoot = '/sys/devices/system/node';

/** Reading sysfs. */
export interface NumaFiles {
  /** @throws when there is no such file */
  read(path: string): string;
}

export interface NumaNode {
  readonly id: number;
  /** Processors of the node; none in a node that only has memory. */
  readonly cpus: readonly number[];
  readonly hasMemory: boolean;
  /** What access costs from here to each node of the topology, in its order: 10 is local. */
  readonly distances: readonly number[];
}

/** The online nodes in the order of their numbers. */
export type Topology = readonly NumaNode[];

/** Numbers in a list are below this, of nodes and processors alike. */
export const idsMax = 65_536;

const localDistance = 10;
const remoteDistance = 20;

/** The numbers of a kernel list such as `0-3,8,10-11`, in order; undefined when it is none. */
export function parseIdList(text: string): number[] | undefined {
  const ids: number[] = [];
  for (const part of text.trim().split(',')) {
    if (part === '' && text.trim() === '') return [];
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last >= idsMax || first <= (ids.at(-1) ?? -1)) return undefined;
    for (let id = first; id <= last; id += 1) ids.push(id);
  }
  return ids;
}

function readList(files: NumaFiles, path: string): number[] | undefined {
  try {
    return parseIdList(files.read(path));
  } catch {
    return undefined;
  }
}

/** The numbers of a distance line, when there is one for each node. */
function readDistances(files: NumaFiles, path: string, count: number): number[] | undefined {
  try {
    const distances = files.read(path).trim().split(/\s+/).map(Number);
    const sound = distances.length === count && distances.every((each) => each > 0);
    return sound ? distances : undefined;
  } catch {
    return undefined;
  }
}

/** Older kernels have no list of the nodes with memory. */
function hasMemory(files: NumaFiles, folder: string): boolean {
  try {
    return !/MemTotal:\s+0 kB/.test(files.read(`${folder}/meminfo`));
  } catch {
    return true;
  }
}

/** The online nodes; none where the kernel says nothing of them. */
export function readTopology(files: NumaFiles, root: string = numaRoot): Topology {
  const online = readList(files, `${root}/online`) ?? [];
  const withMemory = readList(files, `${root}/has_memory`);
  return online.map((id) => {
    const folder = `${root}/node${id}`;
    return {
      id,
      cpus: readList(files, `${folder}/cpulist`) ?? [],
      hasMemory: withMemory?.includes(id) ?? hasMemory(files, folder),
      distances:
        readDistances(files, `${folder}/distance`, online.length) ??
        online.map((other) => (other === id ? localDistance : remoteDistance)),
    };
  });
}

/**
 * Where memory for a thread on `node` is best taken from: there, or from the nearest node that has some.
 * @returns undefined where there is no choice: one node with memory at most, or `node` is unknown
 */
export function memoryNodeFor(topology: Topology, node: number): number | undefined {
  if (topology.filter((each) => each.hasMemory).length < 2) return undefined;
  const here = topology.find((each) => each.id === node);
  let best: number | undefined;
  let bestDistance = Infinity;
  for (const [position, { id, hasMemory: has }] of topology.entries()) {
    const distance = id === node ? 0 : (here?.distances[position] ?? Infinity);
    if (!has || distance >= bestDistance) continue;
    best = id;
    bestDistance = distance;
  }
  return best;
}
