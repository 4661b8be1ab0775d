/** What the disk tier may not do without: the order between memory and disk, what is doomed, seals, one moment. */

const persist = 'test/tier/persist.test.ts';
const loads = 'test/tier/load.test.ts';
const many = 'test/tier/many.test.ts';
const leftovers = 'test/tier/leftovers.test.ts';
const sealed = 'test/tier/sealed.test.ts';
const online = 'test/pool/online-snapshot.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const tiers = [
  {
    name: 'a record of a part that is gone',
    why: 'a record is written only while its part is in memory: one that was deleted meanwhile would come back',
    file: 'src/tier/disk-tier.ts',
    from: 'if (now === undefined || now.version < held.version) return undefined;\n    const known = now.version === held.version ? now : held;',
    to: 'const known = now?.version === held.version ? now : held;',
    test: persist,
    killer: 'a part that was persisted does not come back when it is deleted while it is written',
  },
  {
    name: 'a deletion that does not know of a record on its way',
    why: 'the entry says that the disk may have the part before the record is there, and so whoever deletes it dooms that',
    file: 'src/tier/disk-tier.ts',
    from: '      noteOnDisk(this.store, ref);\n      return recordOf',
    to: '      return recordOf',
    test: many,
    killer:
      'a part that one owner deletes while its record is on the way to the disk does not come back',
  },
  {
    name: 'a deletion that leaves the record',
    why: 'a part that leaves memory takes with it what the disk has of it',
    file: 'src/tier/disk-tier.ts',
    from: '    if (!this.#mayHave(key, words, at)) return;\n',
    to: "    if (!this.#mayHave(key, words, at) || reason === 'deleted') return;\n",
    test: persist,
    killer: 'a deletion that was persisted by delete of a part is there after a power loss',
  },
  {
    name: 'an older version that returns for a lost one',
    why: 'where a later version was evicted before it was written, the older one on the disk is stale',
    file: 'src/tier/disk-tier.ts',
    from: "    if (reason === 'evicted' && isThere) {",
    to: "    if (reason === 'evicted') {",
    test: loads,
    killer:
      'a part on the disk is lost when a later version is evicted before it was written: the older one does not return',
  },
  {
    name: 'a doomed record that is read',
    why: 'until it is gone from the disk, what was deleted is hidden by who deleted it',
    file: 'src/tier/disk-tier.ts',
    from: 'return version <= doomedByOthers || this.doomed.has(key, version) ? 0 : version;',
    to: 'return version <= doomedByOthers ? 0 : version;',
    test: loads,
    killer: 'a part on the disk goes by delete',
  },
  {
    name: 'a record that another owner has doomed',
    why: 'what one owner deletes is gone for all before the disk knows of it: they read its journal',
    file: 'src/tier/disk-tier.ts',
    from: 'const doomedByOthers = this.doomed.byOthers(key);\n    this.disk.refresh();\n    const version',
    to: 'const doomedByOthers = 0;\n    this.disk.refresh();\n    const version',
    test: many,
    killer: 'what one owner deletes another does not find, before the disk knows of it',
  },
  {
    name: 'a journal that dies with its owner',
    why: 'what an owner doomed and died over is removed by others',
    file: 'src/tier/doomed.ts',
    from: '      if (this.isOfTheLiving(name)) continue;\n      const path',
    to: '      if (name !== this.name) continue;\n      const path',
    test: leftovers,
    killer: 'what a dead owner has doomed is not read, and is removed by others',
  },
  {
    name: 'a deletion that was not, and takes its record',
    why: 'an owner may die between noting a deletion and doing it: the part is still there, and so must its record be',
    file: 'src/tier/doomed.ts',
    from: '        if (!this.#isVoid(key, version)) this.add(key, version);',
    to: '        this.add(key, version);',
    test: leftovers,
    killer: 'what a dead owner was about to delete, and had not, stays',
  },
  {
    name: 'memory that is believed after a power loss',
    why: 'what the machine had written back of the memory when it went down is of many moments',
    file: 'src/pool/open-tiers.ts',
    from: 'if (rootParts === 0 || superblock.bootId === bootId) return false;',
    to: 'if (rootParts !== 0 || superblock.bootId === bootId) return false;',
    test: persist,
    killer: 'a part that was persisted is as it was persisted last, whatever came after',
  },
  {
    name: 'a pool that is made anew by half',
    why: 'who dies over it has said so beforehand, and the next one goes on',
    file: 'src/pool/open-tiers.ts',
    from: "if (restoring === 'all') await disk.setRebuild('filling');",
    to: "if (restoring === 'all') await disk.setRebuild(undefined);",
    test: 'test/tier/rebuild.test.ts',
    killer: 'a pool that is made anew goes on where the one before it died',
  },
  {
    name: 'a seal for any place',
    why: 'sealed bytes open only as the part and version that they were sealed for',
    file: 'src/codec/seal.ts',
    from: '  decipher.setAAD(contextOf(context, number));',
    to: '  decipher.setAAD(contextOf(context, number).subarray(0, 0));',
    test: sealed,
    killer: 'a sealed part comes back with its key, also one that is no longer the newest',
  },
  {
    name: 'a seal that says nothing of its part',
    why: 'tenant, part, version and size are authenticated with the bytes',
    file: 'src/tier/stow.ts',
    from: '  return Buffer.concat([numbers, name, key]);',
    to: '  return Buffer.concat([numbers, name]);',
    test: sealed,
    killer: 'a sealed part does not open as another part or version, though its record says so',
  },
  {
    name: 'a record in the place of another',
    why: 'its checksum begins with the key that it is found under',
    file: 'src/tier/record.ts',
    from: '  if (bytes.readInt32LE(end) !== crc32(bytes.subarray(0, end), crc32(key))) return undefined;',
    to: '',
    test: loads,
    killer: 'a damaged record in the place of another is not taken for it',
  },
  {
    name: 'chunks that nobody owns',
    why: 'chunks are written before their record: who dies in between leaves them to others',
    file: 'src/tier/disk-tier.ts',
    from: '      await this.disk.commit(0, () => this.disk.abandonChunks(stowId));\n    }\n  }',
    to: '    }\n  }',
    test: leftovers,
    killer: 'chunks that no record will know of are removed',
  },
  {
    name: 'versions that outlive their part',
    why: 'what is deleted is gone in every version',
    file: 'src/tier/doomed.ts',
    from: '    removeVersions(this.#disk, key, version);\n',
    to: '',
    test: 'test/tier/versions.test.ts',
    killer:
      'the versions of a part go by delete when they are on the disk, and leave nothing behind',
  },
  {
    name: 'a snapshot of many moments',
    why: 'the last round is made under the pen: what changed during the others is in it',
    file: 'src/pool/snapshot.ts',
    from: '      copy.finish();\n',
    to: '',
    test: online,
    killer: 'a snapshot beside writers is of one moment',
  },
];
