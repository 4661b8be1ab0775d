import { readFileSync } from 'node:fs';

/** True for another process that the system knows. This one has just begun: what bears its number is of one that had it before. */
export function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Ended, and nobody has asked what has become of it: where the first process of a container does not, such ones stay. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^\) [XZ]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch {
    return false; // not Linux, or it is not known any more: the next look says so
  }
}
