/** What sysfs says of memory nodes on machines of several sorts: file by file, as the kernel writes it. */

import { numaRoot } from '../../../src/memory/numa-topology.ts';
import type { NumaFiles } from '../../../src/memory/numa-topology.ts';

/** Contents by path below `/sys/devices/system/node`. */
export type SysfsTree = Readonly<Record<string, string>>;

function meminfo(node: number, kib: number): string {
  const size = String(kib).padStart(16);
  const free = String(Math.floor(kib / 3)).padStart(16);
  return `Node ${node} MemTotal:${size} kB\nNode ${node} MemFree: ${free} kB\n`;
}

/** A small virtual machine. */
const oneNode: SysfsTree = {
  possible: '0\n',
  online: '0\n',
  has_cpu: '0\n',
  has_memory: '0\n',
  has_normal_memory: '0\n',
  'node0/cpulist': '0-1\n',
  'node0/distance': '10\n',
  'node0/meminfo': meminfo(0, 24_564_000),
};

/** Two sockets of 64 cores with two threads each. */
const twoSockets: SysfsTree = {
  possible: '0-1\n',
  online: '0-1\n',
  has_cpu: '0-1\n',
  has_memory: '0-1\n',
  has_normal_memory: '0-1\n',
  'node0/cpulist': '0-63,128-191\n',
  'node0/distance': '10 32\n',
  'node0/meminfo': meminfo(0, 528_000_000),
  'node1/cpulist': '64-127,192-255\n',
  'node1/distance': '32 10\n',
  'node1/meminfo': meminfo(1, 528_400_000),
};

/** Two sockets, each with a CXL expander: nodes of memory alone. */
const expanders: SysfsTree = {
  possible: '0-3\n',
  online: '0-3\n',
  has_cpu: '0-1\n',
  has_memory: '0-3\n',
  has_normal_memory: '0-3\n',
  'node0/cpulist': '0-31\n',
  'node0/distance': '10 21 14 24\n',
  'node0/meminfo': meminfo(0, 263_000_000),
  'node1/cpulist': '32-63\n',
  'node1/distance': '21 10 24 14\n',
  'node1/meminfo': meminfo(1, 264_000_000),
  'node2/cpulist': '\n',
  'node2/distance': '14 24 10 26\n',
  'node2/meminfo': meminfo(2, 134_000_000),
  'node3/cpulist': '\n',
  'node3/distance': '24 14 26 10\n',
  'node3/meminfo': meminfo(3, 134_000_000),
};

/** Four nodes are possible, 1 and 3 are offline. The folder of node 1 is still there; distances are given for online nodes only. */
const offline: SysfsTree = {
  possible: '0-3\n',
  online: '0,2\n',
  has_cpu: '0,2\n',
  has_memory: '0,2\n',
  has_normal_memory: '0,2\n',
  'node0/cpulist': '0-7,16-23\n',
  'node0/distance': '10 16\n',
  'node0/meminfo': meminfo(0, 65_000_000),
  'node1/cpulist': '\n',
  'node1/distance': '10\n',
  'node1/meminfo': meminfo(1, 0),
  'node2/cpulist': '8-15,24-31\n',
  'node2/distance': '16 10\n',
  'node2/meminfo': meminfo(2, 66_000_000),
};

/** POWER9: two sockets with four threads per core, and the memory of four GPUs as nodes 252…255. */
const sparse: SysfsTree = {
  possible: '0-255\n',
  online: '0,8,252-255\n',
  has_cpu: '0,8\n',
  has_memory: '0,8,252-255\n',
  has_normal_memory: '0,8,252-255\n',
  'node0/cpulist': '0-79\n',
  'node0/distance': '10 40 80 80 80 80\n',
  'node8/cpulist': '80-159\n',
  'node8/distance': '40 10 80 80 80 80\n',
  'node252/cpulist': '\n',
  'node252/distance': '80 80 10 80 80 80\n',
  'node253/cpulist': '\n',
  'node253/distance': '80 80 80 10 80 80\n',
  'node254/cpulist': '\n',
  'node254/distance': '80 80 80 80 10 80\n',
  'node255/cpulist': '\n',
  'node255/distance': '80 80 80 80 80 10\n',
};

/** One socket without memory modules, and a kernel that has no list of nodes with memory. */
const memoryless: SysfsTree = {
  possible: '0-2\n',
  online: '0-2\n',
  'node0/cpulist': '0-15\n',
  'node0/distance': '10 21 31\n',
  'node0/meminfo': meminfo(0, 131_000_000),
  'node1/cpulist': '16-31\n',
  'node1/distance': '21 10 12\n',
  'node1/meminfo': meminfo(1, 0),
  'node2/cpulist': '32-47\n',
  'node2/distance': '31 12 10\n',
  'node2/meminfo': meminfo(2, 131_000_000),
};

/** A container that hides most of it, and says nonsense of the rest. */
const hidden: SysfsTree = {
  online: '0-1\n',
  'node0/cpulist': '0-3,2-9\n',
  'node0/distance': '10\n',
  'node1/distance': 'far away\n',
};

type TreeName =
  | 'oneNode'
  | 'twoSockets'
  | 'expanders'
  | 'offline'
  | 'sparse'
  | 'memoryless'
  | 'hidden';

export const sysfsTrees: Readonly<Record<TreeName, SysfsTree>> = {
  oneNode,
  twoSockets,
  expanders,
  offline,
  sparse,
  memoryless,
  hidden,
};

/** Reads a tree as the kernel would give it. */
export function treeFiles(tree: SysfsTree): NumaFiles {
  return {
    read(path) {
      const text = tree[path.slice(numaRoot.length + 1)];
      if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
      return text;
    },
  };
}
