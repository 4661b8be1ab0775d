/** Text as it comes: whole characters, nothing of a stop text, nothing lost. */

import { describe, expect, it } from 'vitest';
import { AnswerText } from '../../../src/engine/worker/answer-text.ts';

function said(
  stops: string[],
  pieces: (string | number[])[],
): { texts: string[]; stopped: boolean } {
  const text = new AnswerText(stops);
  const texts = pieces.map((piece) => {
    return text.push(typeof piece === 'string' ? Buffer.from(piece) : Uint8Array.from(piece));
  });
  return { texts: [...texts, text.end()], stopped: text.stopped };
}

describe('the text of an answer', () => {
  it('comes as it is made', () => {
    expect(said([], ['Call', ' me'])).toEqual({ texts: ['Call', ' me', ''], stopped: false });
  });

  it('waits for whole characters, and shows what never became one', () => {
    const [a, b, c, d] = Buffer.from('🦑') as unknown as [number, number, number, number];
    const { texts } = said([], [[a, b], [c], [d]]);
    expect(texts).toEqual(['', '', '🦑', '']);
    expect(said([], ['x', [a, b]]).texts).toEqual(['x', '', '�']);
  });

  it('ends before a stop text, also one that comes in pieces', () => {
    expect(said(['END'], ['one E', 'N', 'D two'])).toEqual({
      texts: ['one ', '', '', ''],
      stopped: true,
    });
  });

  it('says what it held back when it was no stop text', () => {
    expect(said(['END'], ['one E', 'N', 'OUGH'])).toEqual({
      texts: ['one ', '', 'ENOUGH', ''],
      stopped: false,
    });
    expect(said(['END'], ['one EN']).texts).toEqual(['one ', 'EN']);
  });

  it('ends before the first of several', () => {
    expect(said(['b', 'ab'], ['xxabb']).texts).toEqual(['xx', '']);
  });

  it('holds back no more than may become a stop text', () => {
    expect(said(['aab'], ['aaa']).texts).toEqual(['a', 'aa']);
  });

  it('says nothing after a stop text', () => {
    expect(said(['.'], ['a.b', 'c'])).toEqual({ texts: ['a', '', ''], stopped: true });
  });
});
