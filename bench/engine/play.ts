/** Conversations that are held all at once: each says something, waits for the answer, and goes on from there. A request alone is one of a single turn. */

import { Random } from '../../src/base/random.ts';
import type { Serving } from './serving.ts';
import type { Turn } from './shapes.ts';

export interface Played {
  /** Nanoseconds from asking to the whole answer, of every turn. */
  readonly latenciesNs: number[];
  /** To the first token: of turns that go on with something, or of all where there is no such turn. */
  readonly firstNs: number[];
  /** The whole, over the number of turns. */
  readonly turnNs: number;
}

export async function play(
  serving: Serving,
  vocabulary: number,
  conversations: readonly (readonly Turn[])[],
): Promise<Played> {
  const latenciesNs: number[] = [];
  const firstNs: number[] = [];
  const goesOn = conversations.some((turns) => turns.length > 1);
  const startedMs = performance.now();
  await Promise.all(
    conversations.map(async (turns, number) => {
      const random = new Random(number + 1);
      let said = new Int32Array(0);
      for (const [turn, { newTokens, answerTokens }] of turns.entries()) {
        const added = Int32Array.from(
          { length: newTokens },
          () => 3 + random.below(vocabulary - 3),
        );
        said = Int32Array.from([...said, ...added]);
        const askedMs = performance.now();
        const answered = await serving.answer(said, answerTokens);
        latenciesNs.push((performance.now() - askedMs) * 1e6);
        if (turn > 0 || !goesOn) firstNs.push(answered.firstNs);
        said = Int32Array.from([...said, ...answered.answer]);
      }
    }),
  );
  const wholeNs = (performance.now() - startedMs) * 1e6;
  return { latenciesNs, firstNs, turnNs: wholeNs / latenciesNs.length };
}
