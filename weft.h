/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

/* The whole public interface of weft. A program that needs one room includes its header alone. */

#include <weft/lockfree/base.h>

#endif
