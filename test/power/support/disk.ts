/**
 * A disk on paper, to which recorded calls are applied one by one, and which can lose its power after any of them.
 *
 * What was synced is there. Of the pages that were written since, each has what it had at any moment since then, whatever the others have;
 * rarely one is torn between two sectors. Names that were made or changed since their folder was synced are there or not, in
 * one of two ways, since file systems differ:
 * - `journal`: changes of names reach the disk in order, and with any sync of a file or folder (ext4, xfs, btrfs);
 * - `loose`: each by itself, and only with a sync of the folder (all that POSIX promises).
 */

import { basename, dirname, join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Random } from '../../../src/base/random.ts';
import { kind, type LogRecord } from './log.ts';

const pageBytes = 4096;
const sectorBytes = 512;
/** One page in so many is torn. */
const tornEvery = 200;

export type Names = 'journal' | 'loose';

/** Bytes written into a page; `moment`: when, in calls. */
interface Patch {
  readonly moment: number;
  readonly at: number;
  readonly bytes: Buffer;
}

class FileOnDisk {
  /** As the last sync has left it. */
  readonly #pages: Map<number, Buffer> = new Map();
  readonly #pending: Map<number, Patch[]> = new Map();
  #syncedBytes = 0;
  #sizeBytes = 0;
  /** Size at the beginning of each sync under way. */
  readonly #sizes: Map<number, number> = new Map();

  write(moment: number, offset: number, data: Buffer, isSynchronous: boolean): void {
    for (let done = 0; done < data.length;) {
      const page = Math.floor((offset + done) / pageBytes);
      const at = (offset + done) % pageBytes;
      const bytes = data.subarray(done, done + pageBytes - at);
      const patches = this.#pending.get(page);
      if (patches === undefined) this.#pending.set(page, [{ moment, at, bytes }]);
      else patches.push({ moment, at, bytes });
      if (isSynchronous) this.#settle(page, moment);
      done += bytes.length;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, offset + data.length);
    if (isSynchronous) this.#syncedBytes = Math.max(this.#syncedBytes, offset + data.length);
  }

  truncate(moment: number, sizeBytes: number): void {
    const pages = new Set([...this.#pages.keys(), ...this.#pending.keys()]);
    for (const page of pages) {
      const from = Math.max(sizeBytes - page * pageBytes, 0);
      if (from < pageBytes)
        this.write(moment, page * pageBytes + from, Buffer.alloc(pageBytes - from), false);
    }
    this.#sizeBytes = sizeBytes;
  }

  beginSync(moment: number): void {
    this.#sizes.set(moment, this.#sizeBytes);
  }

  /** A sync that began at that moment has ended. */
  sync(begun: number): void {
    for (const page of this.#pending.keys()) this.#settle(page, begun);
    this.#syncedBytes = this.#sizes.get(begun) ?? this.#sizeBytes;
    this.#sizes.delete(begun);
  }

  /** What was written to a page until then is on the disk. */
  #settle(page: number, until: number): void {
    const patches = this.#pending.get(page) ?? [];
    const covered = patches.filter(({ moment }) => moment <= until);
    if (covered.length === 0) return;
    const content = this.#pages.get(page) ?? Buffer.alloc(pageBytes);
    for (const { at, bytes } of covered) bytes.copy(content, at);
    this.#pages.set(page, content);
    if (covered.length === patches.length) this.#pending.delete(page);
    else this.#pending.set(page, patches.slice(covered.length));
  }

  /** @param share of 100: how likely a page has reached the disk as it was last */
  lose(random: Random, share: number): Buffer {
    let endByte = this.#syncedBytes;
    const survivors: [number, Patch[]][] = [];
    for (const [page, patches] of this.#pending) {
      const isWhole = random.below(100) < share;
      const count = isWhole ? patches.length : random.below(patches.length + 1);
      if (share === 0 || count === 0) continue;
      survivors.push([page, patches.slice(0, count)]);
      endByte = Math.max(
        endByte,
        ...patches.slice(0, count).map(({ at, bytes }) => page * pageBytes + at + bytes.length),
      );
    }
    const sizeBytes = random.below(2) === 0 ? Math.max(endByte, this.#sizeBytes) : endByte;
    const content = Buffer.alloc(sizeBytes);
    for (const [page, bytes] of this.#pages) bytes.copy(content, page * pageBytes);
    for (const [page, patches] of survivors) {
      const isTorn = random.below(tornEvery) === 0;
      const sectorsEnd = isTorn ? sectorBytes * random.below(pageBytes / sectorBytes) : pageBytes;
      for (const [i, { at, bytes }] of patches.entries()) {
        // The last write of a torn page stops at a sector.
        const end = i === patches.length - 1 ? Math.max(sectorsEnd - at, 0) : bytes.length;
        bytes.copy(content, page * pageBytes + at, 0, Math.min(end, bytes.length));
      }
    }
    return content;
  }
}

type Child = FileOnDisk | FolderOnDisk;

class FolderOnDisk {
  /** As a running system sees it. */
  readonly now: Map<string, Child> = new Map();
  readonly synced: Map<string, Child> = new Map();
}

/** What changes together: of a rename, both names. */
interface NameChange {
  readonly moment: number;
  readonly steps: readonly {
    readonly folder: FolderOnDisk;
    readonly name: string;
    readonly child: Child | undefined;
  }[];
}

/** What is found after the power has come back: bytes by path, undefined for a folder. */
export type Image = Map<string, Buffer | undefined>;

export class Disk {
  readonly #under: string;
  readonly #names: Names;
  readonly #root = new FolderOnDisk();
  readonly #byInode: Map<bigint, Child> = new Map();
  #pending: NameChange[] = [];
  #moment = 0;
  /** When each sync under way began. */
  readonly #syncs: Map<number, number> = new Map();

  constructor(under: string, names: Names) {
    this.#under = under;
    this.#names = names;
  }

  apply(record: LogRecord): void {
    const { inode, path, other } = record;
    const moment = ++this.#moment;
    switch (record.kind) {
      case kind.create: {
        const child = record.isFolder ? new FolderOnDisk() : new FileOnDisk();
        this.#byInode.set(inode, child);
        this.#change([{ ...this.#place(path), child }]);
        break;
      }
      case kind.write:
        this.#file(inode).write(moment, record.offset, record.data, record.isSynchronous);
        break;
      case kind.truncate:
        this.#file(inode).truncate(moment, record.length);
        break;
      case kind.syncBegins: {
        this.#syncs.set(record.offset, moment);
        const begun = this.#byInode.get(inode);
        if (begun instanceof FileOnDisk) begun.beginSync(moment);
        break;
      }
      case kind.sync:
        this.#sync(record);
        break;
      case kind.rename: {
        const from = this.#place(path);
        const child = from.folder.now.get(from.name);
        this.#change([
          { ...this.#place(other), child },
          { ...from, child: undefined },
        ]);
        break;
      }
      case kind.link: {
        const from = this.#place(path);
        this.#change([{ ...this.#place(other), child: from.folder.now.get(from.name) }]);
        break;
      }
      case kind.unlink:
        this.#change([{ ...this.#place(path), child: undefined }]);
        break;
    }
  }

  /** The power fails now. */
  lose(random: Random): Image {
    const share = [0, 100, 50, random.below(101)][random.below(4)] as number;
    const folders = new Map<FolderOnDisk, Map<string, Child>>();
    const namesOf = (folder: FolderOnDisk): Map<string, Child> => {
      const names = folders.get(folder) ?? new Map(folder.synced);
      folders.set(folder, names);
      return names;
    };
    const reached = random.below(this.#pending.length + 1);
    for (const [i, { steps }] of this.#pending.entries()) {
      const isThere = this.#names === 'journal' ? i < reached : random.below(100) < share;
      if (!isThere) continue;
      for (const { folder, name, child } of steps) {
        if (child === undefined) namesOf(folder).delete(name);
        else namesOf(folder).set(name, child);
      }
    }
    const image: Image = new Map();
    const contents = new Map<FileOnDisk, Buffer>();
    const gather = (folder: FolderOnDisk, at: string): void => {
      for (const [name, child] of namesOf(folder)) {
        const path = join(at, name);
        if (child instanceof FolderOnDisk) {
          image.set(path, undefined);
          gather(child, path);
          continue;
        }
        const content = contents.get(child) ?? child.lose(random, share);
        contents.set(child, content);
        image.set(path, content);
      }
    };
    gather(this.#root, '');
    return image;
  }

  #file(inode: bigint): FileOnDisk {
    const found = this.#byInode.get(inode);
    if (!(found instanceof FileOnDisk)) throw new Error(`no file has inode ${inode}`);
    return found;
  }

  #place(path: string): { readonly folder: FolderOnDisk; readonly name: string } {
    return { folder: this.#folderAt(dirname(path)), name: basename(path) };
  }

  #folderAt(path: string): FolderOnDisk {
    if (path === this.#under) return this.#root;
    const found = this.#folderAt(dirname(path)).now.get(basename(path));
    if (!(found instanceof FolderOnDisk)) throw new Error(`${path} is no folder`);
    return found;
  }

  #change(steps: NameChange['steps']): void {
    for (const { folder, name, child } of steps) {
      if (child === undefined) folder.now.delete(name);
      else folder.now.set(name, child);
    }
    this.#pending.push({ moment: this.#moment, steps });
  }

  #sync({ inode, path, isFolder, offset }: LogRecord): void {
    const begun = this.#syncs.get(offset) ?? this.#moment;
    this.#syncs.delete(offset);
    const synced = isFolder ? this.#folderAt(path) : this.#file(inode);
    if (synced instanceof FileOnDisk) synced.sync(begun);
    const isReached = ({ moment, steps }: NameChange): boolean =>
      moment <= begun &&
      (this.#names === 'journal' || steps.some(({ folder }) => folder === synced));
    for (const { steps } of this.#pending.filter(isReached)) {
      for (const { folder, name, child } of steps) {
        if (child === undefined) folder.synced.delete(name);
        else folder.synced.set(name, child);
      }
    }
    this.#pending = this.#pending.filter((change) => !isReached(change));
  }
}

/** Puts an image where a program can open it. */
export function writeImage(image: Image, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [path, content] of image) {
    if (content === undefined) mkdirSync(join(folder, path), { recursive: true, mode: 0o700 });
    else {
      mkdirSync(join(folder, dirname(path)), { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, path), content, { mode: 0o600 });
    }
  }
}
