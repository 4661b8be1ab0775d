/**
 * Eviction that learns (additive hazards, ranked by Gittins index): every block has a chance of being used again in the next moment, given its age and
 * what is known of its session; it is worth its place in proportion to the hits per second that keeping it may bring. The chances are learned in
 * one pass from every return and every survival, those of blocks that are gone included. It begins as LRU and departs from it as evidence comes in.
 *
 * Sources: Gittins index for caching; LHD (Beckmann et al., NSDI 2018); LRB (Song et al., NSDI 2020); discrete-time survival regression.
 */

import type { Random } from '../../base/random.ts';
import { keyWords, noPlace, type Policy, type SessionHint, type StopReason } from '../api.ts';
import { Candidates } from '../candidates.ts';
import {
  countBin,
  depthBin,
  evidenceBins,
  evidenceFeature,
  evidenceOf,
  fanBin,
  featureCount,
  outputBin,
  ownGapBin,
  requestFeatures,
  statusBin,
} from './features.ts';
import { Choice } from './choice.ts';
import type { Groups } from './groups.ts';
import { Guard } from './guard.ts';
import { KnownBlocks, none } from './known.ts';
import { Learner } from './learner.ts';
import { openRequest } from './opening.ts';
import { Records } from './records.ts';
import { RequestList } from './request-list.ts';

export class Hazard implements Policy {
  readonly name = 'hazard';
  readonly #candidates: Candidates;
  readonly #known: KnownBlocks;
  readonly #learner: Learner;
  readonly #groups: Groups;
  readonly #records = new Records();
  readonly #guard: Guard;
  readonly #choice: Choice;
  readonly #requests: RequestList[] = [];
  /** Block in each place, or none. */
  readonly #blockAt: Int32Array;
  /** Features of the block that is being looked at. */
  readonly #bins = new Uint8Array(featureCount);
  #begun = 0;
  /** Group of the block that went last: its next ancestor goes without another look. */
  #running = none;

  /** @param places capacity of the cache in blocks */
  constructor(places: number, random: Random) {
    this.#learner = new Learner(random);
    this.#groups = this.#learner.groups;
    this.#candidates = new Candidates(places, random);
    this.#known = new KnownBlocks(places);
    this.#blockAt = new Int32Array(places).fill(none);
    this.#guard = new Guard(this.#groups, places);
    this.#choice = new Choice(
      this.#candidates,
      this.#known,
      this.#learner,
      this.#guard,
      this.#blockAt,
    );
  }

  begin(
    request: number,
    nowMs: number,
    inputTokens: number,
    keys: Int32Array,
    count: number,
  ): void {
    this.#learner.setTime(nowMs);
    this.#running = none;
    this.#choice.next = noPlace;
    this.#begun = (this.#begun + 1) & 0x7fffffff;
    const list = this.#listOf(request);
    const known = this.#known;
    let knownPrefix = 0;
    for (let depth = 0; depth < count; depth++) {
      const low = keys[depth * keyWords] as number;
      const high = keys[depth * keyWords + 1] as number;
      let block = known.find(low, high);
      if (block === none) block = known.add(low, high, depth);
      else if (knownPrefix === depth) knownPrefix++;
      list.push(block);
    }
    const last = knownPrefix > 0 ? (list.blocks[knownPrefix - 1] as number) : none;
    const before = last === none ? none : (known.group[last] as number);
    this.#judge(list);
    openRequest(this.#learner, this.#records, list, before, knownPrefix, inputTokens);
    for (let depth = 0; depth < count; depth++) this.#noteReturn(list.blocks[depth] as number);
    for (let depth = 0; depth < count; depth++) this.#noteUse(list, depth);
    for (let depth = 0; depth < count; depth++) this.#join(list, depth);
    this.#trim();
  }

  extend(request: number, keyLow: number, keyHigh: number): void {
    const list = this.#requests[request] as RequestList;
    const depth = list.count;
    let block = this.#known.find(keyLow, keyHigh);
    if (block === none) block = this.#known.add(keyLow, keyHigh, depth);
    list.push(block);
    this.#records.blocks[list.record] = depth + 1;
    this.#noteReturn(block);
    this.#noteUse(list, depth);
    this.#join(list, depth);
    this.#trim();
  }

  place(request: number, depth: number, place: number): void {
    const block = (this.#requests[request] as RequestList).blocks[depth] as number;
    this.#candidates.fill(place);
    if (this.#known.place[block] !== noPlace) return; // another place has the same content: this one is worth nothing
    this.#known.settle(block, place);
    this.#blockAt[place] = block;
  }

  release(place: number): void {
    this.#candidates.release(place);
  }

  retain(place: number): void {
    this.#candidates.retain(place);
  }

  leaf(place: number): void {
    this.#candidates.leaf(place);
    const block = this.#blockAt[place] as number;
    if (block !== none && this.#known.group[block] === this.#running) this.#choice.next = place;
  }

  branch(place: number): void {
    this.#candidates.branch(place);
  }

  victim(): number {
    if (this.#choice.next === noPlace || !this.#candidates.has(this.#choice.next))
      this.#choice.draw();
    const place = this.#choice.next;
    this.#choice.next = noPlace;
    return place;
  }

  admits(request: number, depth: number): boolean {
    if (this.#choice.next !== noPlace && this.#candidates.has(this.#choice.next)) return true;
    const lowest = this.#choice.draw();
    if (this.#choice.next === noPlace) return false;
    if (this.#guard.isOn) return true;
    const block = (this.#requests[request] as RequestList).blocks[depth] as number;
    if (lowest <= this.#learner.worthOnArrival(this.#known.group[block] as number)) return true;
    this.#choice.next = noPlace;
    return false;
  }

  gone(place: number): void {
    this.#candidates.empty(place);
    const block = this.#blockAt[place] as number;
    if (block === none) return;
    this.#blockAt[place] = none;
    this.#running = this.#known.group[block] as number;
    this.#known.remember(block);
    this.#trim();
  }

  end(
    request: number,
    nowMs: number,
    outputTokens: number,
    stop: StopReason,
    hint: SessionHint,
  ): void {
    this.#learner.setTime(nowMs);
    const list = this.#requests[request] as RequestList;
    const records = this.#records;
    const { record, groupCount } = list;
    const evidence = evidenceOf(stop, hint);
    records.atS[record] = this.#learner.nowS;
    records.outputTokens[record] = outputTokens;
    records.evidence[record] = evidence;
    for (let i = 0; i < groupCount; i++) {
      const group = list.groups[i] as number;
      const at = group * featureCount;
      const { bins } = this.#groups;
      bins[at] = outputBin(outputTokens) * evidenceBins + evidence;
      bins[at + 1] = (bins[at + 1] as number) + evidence;
      bins[at + 4] = (bins[at + 4] as number) + evidence;
      bins[at + evidenceFeature] = evidence;
      this.#groups.enqueue(group, this.#learner.nowS);
      this.#guard.joined(group);
    }
    this.#learner.choose(list);
    for (let i = 0; i < groupCount; i++) this.#drop(list.groups[i] as number, 0);
    records.release(record);
    list.clear();
  }

  reset(): void {
    this.#candidates.reset();
    this.#known.reset();
    this.#learner.reset();
    this.#records.reset();
    this.#guard.reset();
    this.#blockAt.fill(none);
    for (const list of this.#requests) list.clear();
    this.#running = none;
    this.#choice.next = noPlace;
  }

  #listOf(request: number): RequestList {
    while (this.#requests.length <= request) this.#requests.push(new RequestList());
    return this.#requests[request] as RequestList;
  }

  #noteReturn(block: number): void {
    const group = this.#known.group[block] as number;
    if (group !== none) this.#learner.returned(group, this.#begun);
  }

  #noteUse(list: RequestList, depth: number): void {
    const known = this.#known;
    const block = list.blocks[depth] as number;
    known.uses[block] = (known.uses[block] as number) + 1;
    if (known.group[block] !== none || depth === 0) return;
    const parent = list.blocks[depth - 1] as number;
    known.children[parent] = (known.children[parent] as number) + 1;
  }

  /** Moves a block to the group of this request that is like it. */
  #join(list: RequestList, depth: number): void {
    const known = this.#known;
    const groups = this.#groups;
    const block = list.blocks[depth] as number;
    const before = known.group[block] as number;
    const isNew = before === none;
    const gapS = isNew ? -1 : this.#learner.nowS - (groups.usedAtS[before] as number);
    const turn = countBin(this.#records.turn[list.record] as number);
    const bins = this.#bins;
    bins[8] = turn * 9 + countBin(known.uses[block] as number);
    bins[9] = ownGapBin(gapS);
    bins[10] = fanBin(known.children[block] as number);
    bins[11] = depthBin(depth);
    bins[12] = statusBin(isNew, list.relation);
    bins[evidenceFeature] = 0;
    let group = list.lastGroup();
    if (group === none || !this.#isLike(group)) {
      bins.set(list.shared);
      group = groups.create(list.record, this.#learner.nowS);
      groups.bins.set(bins, group * featureCount);
      const { references } = this.#records;
      references[list.record] = (references[list.record] as number) + 1;
      list.pushGroup(group);
    }
    known.group[block] = group;
    groups.live[group] = (groups.live[group] as number) + 1;
    if (!isNew) this.#drop(before, 1);
    if (known.place[block] === noPlace) known.renew(block);
  }

  #isLike(group: number): boolean {
    const { bins } = this.#groups;
    const at = group * featureCount;
    for (let feature = requestFeatures; feature < featureCount; feature++) {
      if (bins[at + feature] !== this.#bins[feature]) return false;
    }
    return true;
  }

  /** Takes blocks out of a group, which goes with the last of them. */
  #drop(group: number, blocks: number): void {
    const groups = this.#groups;
    const live = (groups.live[group] as number) - blocks;
    groups.live[group] = live;
    this.#guard.lost(group, blocks);
    if (live > 0 || groups.running[group] === 1) return;
    this.#records.release(groups.record[group] as number);
    this.#guard.left(group);
    groups.release(group);
  }

  /** Compares what was hit with what LRU would have hit. */
  #judge(list: RequestList): void {
    const { place, group } = this.#known;
    const { blocks, count } = list;
    let hits = 0;
    while (hits < count && place[blocks[hits] as number] !== noPlace) hits++;
    let lruHits = 0;
    while (lruHits < count && this.#lruHas(group[blocks[lruHits] as number] as number)) lruHits++;
    this.#guard.judge(count, hits, lruHits);
  }

  #lruHas(group: number): boolean {
    return group !== none && (this.#groups.running[group] === 1 || this.#guard.wouldKeep(group));
  }

  /** Forgets ghosts that are too many, but for those of running requests. */
  #trim(): void {
    const known = this.#known;
    for (let ghost = known.surplus(); ghost !== none; ghost = known.surplus()) {
      const group = known.group[ghost] as number;
      if (this.#groups.running[group] === 1) return known.renew(ghost);
      known.forget(ghost);
      this.#drop(group, 1);
    }
  }
}
