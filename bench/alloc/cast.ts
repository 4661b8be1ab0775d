/** Who plays a workload: our heap, what JavaScript programs use, and the native allocators of this machine. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../harness/suite.ts';
import { type HeapName, type HeapOptions, variantNames } from './heaps/heap.ts';
import { openJsPlayer } from './js-player.ts';
import { findLibrary, nativePeers, openNativePlayer, programName } from './native-player.ts';
import type { Play, Player } from './player.ts';

export interface Member {
  readonly name: string;
  /** Fresh threads or a fresh process, with nothing allocated. */
  open(play: Play): Promise<Player>;
}

/** Ours and the peers of JavaScript, in the order of their rows. */
export function jsMembers(
  names: readonly HeapName[],
  heapFor: (name: HeapName) => HeapOptions,
): Member[] {
  return names.map((name) => ({
    name,
    open: async (play) => openJsPlayer(name, play, heapFor(name)),
  }));
}

/** Who plays: ours first. With --ablation only variants of ours. */
export function castOf(
  names: readonly HeapName[],
  heapFor: (name: HeapName) => HeapOptions,
  context: Context,
): [Member, ...Member[]] {
  const chosen = context.ablation ? variantNames : names;
  const [ours, ...js] = jsMembers(chosen, heapFor) as [Member, ...Member[]];
  return context.ablation ? [ours, ...js] : [ours, ...nativeMembers(context), ...js];
}

/** Native peers; none where the program could not be compiled. */
export function nativeMembers(context: Context): Member[] {
  const program = join(context.shared ?? '', programName);
  if (!existsSync(program)) return [];
  return nativePeers.flatMap((peer): Member[] => {
    const library = peer.library === undefined ? '' : findLibrary(peer.library);
    if (library === undefined) {
      context.log(`  no ${peer.name} here: skipped (Debian: apt-get install ${peer.debian})`);
      return [];
    }
    return [
      { name: peer.name, open: async (play) => openNativePlayer(program, peer, library, play) },
    ];
  });
}

/** All of them, or none: those that opened are closed when one fails. */
export async function openAll(members: readonly Member[], play: Play): Promise<Player[]> {
  const opened = await Promise.allSettled(members.map(async (member) => member.open(play)));
  const players = opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
  const failed = opened.find((it) => it.status === 'rejected');
  if (failed === undefined) return players;
  await Promise.all(players.map((player) => player.close()));
  throw failed.reason;
}

/** Opens the member, lets it do one thing, and closes it. */
export async function freshly<T>(
  member: Member,
  play: Play,
  act: (player: Player) => Promise<T>,
): Promise<T> {
  const player = await member.open(play);
  try {
    return await act(player);
  } finally {
    await player.close();
  }
}
