#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# link_headers.sh SOURCE_ROOT INCLUDE_WEFT ROOM...: make <weft/ROOM/...> and <weft/weft.h> name the
# source tree itself. Called by meson at configuration.
set -eu
root=$1
include=$2
shift 2
mkdir -p "$include"
ln -sfn "$root/weft.h" "$include/weft.h"
for room; do
    ln -sfn "$root/$room" "$include/$room"
done
