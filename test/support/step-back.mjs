/** For processes that never pause: on few cores one that starts beside several of them takes many times as long. */

import os from 'node:os';

/** Lets whoever starts go first. Of a process the others stay as they are: all that call this are equal. */
export function stepBack() {
  os.setPriority(os.constants.priority.PRIORITY_BELOW_NORMAL);
}
