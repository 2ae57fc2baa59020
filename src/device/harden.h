#ifndef DEVICE_HARDEN_H
#define DEVICE_HARDEN_H

/*
 * What keeps keys inside this process: no core file, not dumpable or traceable by others of our
 * uid, memory not swapped where the host allows to lock it. Call first in main; best effort, never
 * fails (F-S3).
 */
void harden_process(void);

#endif
