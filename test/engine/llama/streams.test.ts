/** The state of a sequence among those of others that have none. */

import { describe, expect, it } from 'vitest';
import {
  lastStream,
  streamsBytes,
  unwrapStreams,
  wrapStreams,
} from '../../../src/engine/llama/streams.ts';

const magic = 0xaf14_3cd8;
const rest = [3, 70, 71, 72];

function bytesOf(words: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function wordsOf(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes && [...new Uint32Array(bytes.slice().buffer)];
}

describe('a state', () => {
  it.each([1, 2, 3, 8])('of one stream becomes one of %i, and back', (streams) => {
    const one = bytesOf([magic, 0, 1, ...rest]);
    const state = new Uint8Array(streamsBytes(one.length, streams)).fill(0xa5);
    lastStream(state, streams).set(one);
    wrapStreams(state, streams);
    const before = Array.from({ length: streams - 1 }, () => 0);
    expect(wordsOf(state)).toEqual([magic, 0, streams, ...before, ...rest]);
    expect(wordsOf(unwrapStreams(state, streams))).toEqual([magic, 0, 1, ...rest]);
  });

  it.each([
    ['first', [...rest, 0, 0]],
    ['middle', [0, ...rest, 0]],
    ['last', [0, 0, ...rest]],
  ])('is found as the %s of three', (_, counted) => {
    const state = bytesOf([magic, 5, 3, ...counted]);
    expect(wordsOf(unwrapStreams(state, 3))).toEqual([magic, 5, 1, ...rest]);
  });

  it.each([
    ['another number of streams', bytesOf([magic, 5, 2, 0, ...rest])],
    ['no cells', bytesOf([magic, 5, 3, 0, 0, 0])],
    ['cells behind its own', bytesOf([magic, 5, 3, ...rest, 0, 1])],
    ['too few bytes', bytesOf([magic, 5, 3, 0, 0])],
    ['no bytes', bytesOf([])],
  ])('with %s is none', (_, state) => {
    expect(unwrapStreams(state, 3)).toBeUndefined();
  });
});
