#ifndef DEVICE_HEAP_H
#define DEVICE_HEAP_H

/*
 * Make what malloc gives out in large blocks go back to the system when it is given back: the patch
 * of a hundred thousand peers, once applied, is not to stay resident. Once, before anything large.
 */
void heap_stay_small(void);

#endif
