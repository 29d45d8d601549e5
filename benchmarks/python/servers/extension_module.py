#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""This library as an extension module: examples/3_python/asyncres_server.cpp."""

import signal
import sys

import common


def main():
    parser = common.parser(__doc__)
    parser.add_argument('--modules', required=True, metavar='DIRECTORY', help='where async_resource_server was built')
    parser.add_argument('--threads', type=int, default=1, metavar='COUNT', help='I/O threads (%(default)s)')
    parser.add_argument('--policy', help='who holds the GIL, and for how long')
    parser.add_argument('--home', help='where the callable runs')
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.modules)
    try:
        from async_resource_server import serve
    except ImportError as error:
        sys.exit(f'cannot load the extension module: {error}')
    chosen = {name: value for name in ('policy', 'home') if (value := getattr(arguments, name))}
    app = common.load(arguments, awaits=True)
    if arguments.policy == 'own_gil':
        app = arguments.app  # which a sub-interpreter imports
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(app, arguments.host, arguments.port, threads=arguments.threads, **chosen)
    except (TypeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
