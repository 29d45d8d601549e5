# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

from _typeshed import ReadableBuffer
from typing import Any, Awaitable, Callable, Literal, Optional, Protocol, Union, overload

class _ExceptionLogger(Protocol):
    """What logging.Logger is."""

    def exception(self, msg: str, *, exc_info: BaseException) -> Any: ...

_App = Union[Callable[[bytes], ReadableBuffer], Callable[[bytes], Awaitable[ReadableBuffer]]]

@overload
def serve(
    app: _App,
    host: str = ...,
    port: int = ...,
    threads: int = ...,
    policy: Literal["per_batch", "held", "free_threaded"] = ...,
    logger: Optional[_ExceptionLogger] = ...,
    home: Literal["thread"] = ...,
    *,
    drain_timeout: Optional[float] = ...,
) -> None: ...
@overload
def serve(
    app: Callable[[bytes], ReadableBuffer],
    host: str = ...,
    port: int = ...,
    threads: Literal[1] = ...,
    policy: Literal["per_batch", "free_threaded"] = ...,
    logger: Optional[_ExceptionLogger] = ...,
    *,
    home: Literal["io"],
    drain_timeout: Optional[float] = ...,
) -> None: ...
@overload
def serve(
    app: Callable[[bytes], ReadableBuffer],
    host: str,
    port: int,
    threads: Literal[1],
    policy: Literal["per_batch", "free_threaded"],
    logger: Optional[_ExceptionLogger],
    home: Literal["io"],
    *,
    drain_timeout: Optional[float] = ...,
) -> None: ...
@overload
def serve(
    app: str,
    host: str = ...,
    port: int = ...,
    threads: int = ...,
    *,
    policy: Literal["own_gil"],
    logger: Optional[_ExceptionLogger] = ...,
    home: Literal["thread"] = ...,
    drain_timeout: Optional[float] = ...,
) -> None: ...
@overload
def serve(
    app: str,
    host: str,
    port: int,
    threads: int,
    policy: Literal["own_gil"],
    logger: Optional[_ExceptionLogger] = ...,
    home: Literal["thread"] = ...,
    *,
    drain_timeout: Optional[float] = ...,
) -> None: ...
