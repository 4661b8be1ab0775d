/**
 * Short replies are written when all that has arrived is looked at, one connection after the other: a client that is woken for the first of many
 * replies is awake for the others.
 */

import type { Output } from './output.ts';

export class Flushes {
  #outputs: Output[] = [];

  add(output: Output): void {
    if (this.#outputs.length === 0) setImmediate(this.#run);
    this.#outputs.push(output);
  }

  readonly #run = (): void => {
    const outputs = this.#outputs;
    this.#outputs = [];
    for (let i = 0; i < outputs.length; i++) (outputs[i] as Output).flush();
  };
}
