# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""Who serves a Python callable: this library, the article's figures, and what Python users have.

All take --app-dir DIRECTORY, --app MODULE:CALLABLE and --port, and say where they listen.
"""

import os

from contest import Contender

HERE = os.path.dirname(os.path.abspath(__file__))

# Beside what they do by default: per_batch, on a thread. A server that lacks one says so, and is left out.
POLICIES = ['--policy per_batch --home io', '--policy held --home thread', '--policy held --home io',
            '--policy own_gil --home thread', '--policy own_gil --home io', '--policy own_gil --interpreters 2']
MODULE_POLICIES = ['--home io', '--policy held', '--policy own_gil']


def with_options(name, label, command, options, ours):
    suffix = ''.join('_' + word for word in options.split() if not word.startswith('--'))
    return Contender(name + suffix, f'{label}{" " * bool(options)}{options}', [*command, *options.split()], ours)


def all_contenders(programs, python):
    def program(name):
        return [os.path.join(programs, 'python', name)]

    def script(name, *options):
        return [python, os.path.join(HERE, 'servers', name), *options]

    module = script('extension_module.py', '--modules', os.path.join(programs, 'python'))
    return [
        *(with_options('python_server', 'python_server', program('python_server'), options, True)
          for options in ['', *POLICIES]),
        *(with_options('extension_module', 'extension module', module, options, True)
          for options in ['', *MODULE_POLICIES]),
        Contender('figure_2', 'Figure 2', program('figure_2_gil_on_io_thread')),
        Contender('figure_3', 'Figure 3', program('figure_3_async_initiate')),
        Contender('figure_4', 'Figure 4', program('figure_4_double_dispatch')),
        Contender('asyncio_streams', 'asyncio streams', script('asyncio_streams.py')),
        Contender('asyncio', 'asyncio Protocol', script('asyncio_protocol.py')),
        Contender('uvloop', 'Protocol on uvloop', script('asyncio_protocol.py', '--uvloop')),
        Contender('twisted', 'Twisted, Int16StringReceiver', script('twisted_int16.py')),
        Contender('socketserver', 'socketserver, threads', script('threaded_socketserver.py')),
        Contender('gevent', 'gevent', script('gevent_streams.py')),
    ]
