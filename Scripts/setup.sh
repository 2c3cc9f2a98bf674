#!/bin/bash
# What the build needs of the system: looks, and installs only what is missing. Safe to run again.
set -euo pipefail

packages=(libssl-dev libcurl4-openssl-dev libsqlite3-dev pkg-config python3 python3-venv make)

if ! command -v swift >/dev/null; then
    echo "缺少 Swift 6.3 工具链(swift.org/install)· the Swift 6.3 toolchain is missing (swift.org/install)" >&2
    exit 1
fi

missing=()
if command -v dpkg-query >/dev/null; then
    for package in "${packages[@]}"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing+=("$package")
    done
fi
command -v cc >/dev/null || missing+=(gcc)
[ ${#missing[@]} -eq 0 ] && exit 0

echo "安装 · installing: ${missing[*]}"
root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "请以 root 安装 · install as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    root=(sudo)
fi
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
