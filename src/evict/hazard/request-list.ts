/** Blocks and groups of a request that runs. One object for each number of a request, used again. */

import { requestFeatures } from './features.ts';
import { grown } from '../../base/grown.ts';
import { none } from './known.ts';

const firstLength = 64;

export class RequestList {
  blocks: Int32Array = new Int32Array(firstLength);
  count = 0;
  groups: Int32Array = new Int32Array(firstLength);
  groupCount = 0;
  record: number = none;
  relation = 0;
  /** Features that all its blocks have, as known on arrival. */
  readonly shared: Uint8Array = new Uint8Array(requestFeatures);

  push(block: number): void {
    if (this.count === this.blocks.length) this.blocks = grown(this.blocks, 2 * this.count);
    this.blocks[this.count++] = block;
  }

  pushGroup(group: number): void {
    if (this.groupCount === this.groups.length)
      this.groups = grown(this.groups, 2 * this.groupCount);
    this.groups[this.groupCount++] = group;
  }

  lastGroup(): number {
    return this.groupCount === 0 ? none : (this.groups[this.groupCount - 1] as number);
  }

  clear(): void {
    this.count = 0;
    this.groupCount = 0;
    this.record = none;
  }
}
