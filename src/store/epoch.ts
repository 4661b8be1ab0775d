import { control } from '../memory/layout.ts';
import { load, store as storeWord } from '../memory/words.ts';
import type { Store } from './store.ts';

/** Starts an epoch of writing. `suspect`: parts written before it are verified at their first get. */
export function begin(store: Store, suspect: boolean): void {
  const { region } = store;
  const epoch = region.superblock.epoch + 1;
  const trustedEpoch = suspect ? epoch : region.superblock.trustedEpoch;
  region.commit({ clean: false, epoch, trustedEpoch, bootId: region.bootId });
  store.takeEpoch();
  // Even, whatever a dead writer was at: joined threads take over the index as it is now.
  const cell = store.controlAt + control.indexEpoch;
  storeWord(store.control, cell, (load(store.control, cell) | 1) + 1);
}
