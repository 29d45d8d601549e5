# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""What contenders are measured in: a callable, and the load on it."""

import os
import re
import resource
import time

from contest import Setting, Shape
from measuring import Failure, put_load, run_client

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'examples', '3_python')

CONNECTIONS = [1, 16, 64, 512]
DEPTHS = [1, 16]
PAYLOADS = [16, 1 << 10, 60 << 10]
APPS = {'echo': 'a trivial callable', 'busy': '100 µs of Python', 'waiting': 'an async def that awaits 5 ms'}


class Echoing(Shape):
    """APP:CONNECTIONSxDEPTHxPAYLOAD, put by the load generator on one of apps.py."""

    FORM = 'APP:' + Shape.FORM

    def __init__(self, text):
        name, _, shape = text.partition(':')
        if name not in APPS:
            raise ValueError(f"'{text}' is not of the form {self.FORM} with one of {', '.join(APPS)}")
        super().__init__(shape)
        self.text = text
        self.title = f'{APPS[name]}; {self.title}'
        self.chart = f'python_{name}'
        self.app = f'apps:{name}'
        self.app_dir = HERE

    def client(self, arguments, processors):
        load = os.path.join(arguments.programs, 'servers', 'load')
        return lambda server: put_load(load, server, [*self.options, '--seconds', str(arguments.seconds)], processors)


class Dns(Setting):
    """dnsperf, put on one of the examples."""

    text = 'dns'
    title = 'dns.py under dnsperf -m tcp -c 16 -q 256'
    chart = 'python_dns'
    app = 'dns:answer'
    app_dir = EXAMPLES

    def client(self, arguments, processors):
        def run(server):
            host, port = server.address
            start, before = time.monotonic(), processor_seconds_of_clients()
            written = run_client(['dnsperf', '-m', 'tcp', '-c', '16', '-q', '256', '-s', host, '-p', port,
                                  '-d', os.path.join(HERE, 'queries.txt'), '-l', str(arguments.seconds)], processors)
            busy = (processor_seconds_of_clients() - before) / (time.monotonic() - start)
            return {**read_dnsperf(written), 'client_busy': busy}
        return run


def processor_seconds_of_clients():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_dnsperf(written):
    completed, lost, rate = (re.search(rf'Queries {name}:\s+([\d.]+)', written)
                             for name in ('completed', 'lost', 'per second'))
    if not completed or not lost or not rate or int(completed[1]) == 0:
        raise Failure('dnsperf measured nothing')
    if int(lost[1]) != 0:
        raise Failure(f'{lost[1]} queries were lost')
    return {'requests_per_second': float(rate[1]), 'all_requests': int(completed[1])}


def setting(text):
    return Dns() if text == Dns.text else Echoing(text)


def whole_matrix():
    return [*(f'{app}:{connections}x{depth}x{payload}' for app in APPS for connections in CONNECTIONS
              for depth in DEPTHS for payload in PAYLOADS), Dns.text]
