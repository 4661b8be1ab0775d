/** What the models are asked, by a name that a process of its own understands too. */

import { conversationShapes, type Shapes } from './shapes.ts';

export type WorkloadName = 'requests' | 'replay';

const requests = 48;
const promptTokens = 64;
const answerTokens = 32;
const conversations = 8;
/** With --quick. */
const share = 6;

export async function workloadOf(
  name: WorkloadName,
  roomTokens: number,
  quick: boolean,
): Promise<Shapes> {
  if (name === 'replay') return conversationShapes(quick ? 2 : conversations, roomTokens);
  const count = quick ? requests / share : requests;
  return {
    conversations: Array.from({ length: count }, () => [{ newTokens: promptTokens, answerTokens }]),
    from: `${count} at once, ${promptTokens} + ${answerTokens} tokens`,
  };
}
