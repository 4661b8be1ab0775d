/** What the models are asked, by a name that a process of its own understands too. */

import { conversationShapes, type Shapes, type Turn } from './shapes.ts';

export type RequestsName = 'requests' | 'alpaca' | 'sharegpt';
export type WorkloadName = RequestsName | 'replay';

interface Requests extends Turn {
  readonly count: number;
  /** Where the lengths are from. */
  readonly from: string;
}

/** Of the datasets that vLLM was measured with, each request has the mean lengths (Kwon and others 2023, section 6.1, figure 11; arXiv 2309.06180). */
const requests: Readonly<Record<RequestsName, Requests>> = {
  requests: { count: 48, newTokens: 64, answerTokens: 32, from: 'made up' },
  alpaca: { count: 48, newTokens: 19, answerTokens: 58, from: 'means of Alpaca' },
  sharegpt: { count: 16, newTokens: 161, answerTokens: 338, from: 'means of ShareGPT' },
};

export const requestLengths = Object.keys(requests) as readonly RequestsName[];

const conversations = 8;
/** With --quick. */
const share = 6;
const answerTokensQuick = 32;

export async function workloadOf(
  name: WorkloadName,
  roomTokens: number,
  quick: boolean,
): Promise<Shapes> {
  if (name === 'replay') return conversationShapes(quick ? 2 : conversations, roomTokens);
  const { count: whole, newTokens, answerTokens: most, from } = requests[name];
  const count = quick ? Math.ceil(whole / share) : whole;
  const answerTokens = quick ? Math.min(most, answerTokensQuick) : most;
  return {
    conversations: Array.from({ length: count }, () => [{ newTokens, answerTokens }]),
    from: `${count} at once, ${newTokens} + ${answerTokens} tokens (${from})`,
  };
}
