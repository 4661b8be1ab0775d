/** A small file of words that the processes of one program map together. */

import { constants } from 'node:fs';
import { coded, nodeFiles, removeIfThere, reserveEmpty, withFile } from './files.ts';
import { mapSegment, releaseSegment } from './mapping.ts';
import { osCalls } from './os.ts';
import { fileMode } from './pool-files.ts';
import type { Words } from './words.ts';

export interface WordsFile {
  /** Reads zeros once it is closed. */
  readonly words: Words;
  close(): void;
}

/** Makes the file anew, all zeros. Whoever has one of that name mapped keeps theirs. @throws memory_unavailable, io_failed, koffi_missing, platform_unsupported */
export function createWordsFile(path: string, sizeBytes: number): WordsFile {
  const system = { files: nodeFiles, os: osCalls() };
  return coded(`cannot make ${path}`, () => {
    removeIfThere(nodeFiles, path);
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return withFile(nodeFiles, path, flags, fileMode, (fd) => {
      reserveEmpty(system, fd, 0, sizeBytes);
      return mapped(fd, sizeBytes);
    });
  });
}

/** @throws io_failed, koffi_missing, platform_unsupported */
export function openWordsFile(path: string): WordsFile {
  return coded(`cannot open ${path}`, () =>
    withFile(nodeFiles, path, constants.O_RDWR, 0, (fd) =>
      mapped(fd, nodeFiles.status(fd).sizeBytes),
    ),
  );
}

function mapped(fd: number, sizeBytes: number): WordsFile {
  const segment = mapSegment(osCalls(), fd, 0, sizeBytes, 'shared');
  return { words: segment.words, close: () => releaseSegment(segment) };
}
