"""Reads pickles of tensors and plain containers by a machine of its own, which runs nothing.

Python's own would call whatever a pickle names. This one knows the instructions that make data,
and builds for the few names in it that PyTorch needs what they mean. See `pickletools` in Python's
library for the instructions.
"""

import io
import pickletools
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from srgan.models.state_dict.tensors import DTYPES, Damaged, Storage, StoredTensor

OpenStorage = Callable[["Name", str, int], Storage]

_PUSHED = (  # instructions that hold a value
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    **{"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False},
    **{"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple},
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_BUILTINS = frozenset({"dict", "list", "int", "float", "str", "bool"})
_MAX_KEY = 2**32
_MAX_COUNT = 2**48  # of values in a storage


class Name(NamedTuple):
    """What a pickle calls by its name; it stays a name here."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Unpickled(NamedTuple):
    """What a pickle holds, and how many bytes it has."""

    value: Any
    size: int


_MARK = Name("", "mark")


def unpickle(data: bytes, open_storage: OpenStorage) -> Unpickled:
    """Returns what is in a pickle: dicts, lists, tuples, texts, numbers, `StoredTensor`.

    Args:
        data: Begins with the pickle.
        open_storage: Given type, key and number of the values that tensors are in, returns what
            finds them.

    Raises:
        Damaged: If it is no pickle, or names anything else.
    """
    machine = _Machine(open_storage)
    try:
        for instruction, argument, position in pickletools.genops(io.BytesIO(data)):
            if instruction.name == "STOP":
                return Unpickled(machine.stack[-1], int(position or 0) + 1)
            machine.do(instruction.name, argument)
    except Damaged:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
        reason = str(error)[:80].splitlines() or [type(error).__name__]
        raise Damaged(f"is damaged where it names its weights ({reason[0]}).") from None
    raise Damaged("ends within the list of its weights. Download it again.")


class _Machine:
    """The stack, and what is remembered, of a pickle that is being read."""

    def __init__(self, open_storage: OpenStorage):
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._open_storage = open_storage

    def do(self, instruction: str, argument: Any) -> None:
        stack = self.stack
        match instruction:
            case name if name in _PUSHED:
                stack.append(argument)
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self._memo[argument])
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._take(_TUPLES[instruction])))
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "LIST":
                stack.append(self._since_mark())
            case "APPEND" | "APPENDS":
                values = self._since_mark() if instruction == "APPENDS" else self._take(1)
                _expect(stack[-1], list).extend(values)
            case "DICT":
                stack.append(_mapping(_pairs(self._since_mark())))
            case "SETITEM" | "SETITEMS":
                values = self._since_mark() if instruction == "SETITEMS" else self._take(2)
                _expect(stack[-1], dict).update(_mapping(_pairs(values)))
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                stack.append(_allowed(Name(module, name)))
            case "STACK_GLOBAL":
                module, name = self._take(2)
                stack.append(_allowed(Name(str(module), str(name))))
            case "REDUCE":
                function, arguments = self._take(2)
                stack.append(_make(function, _expect(arguments, tuple)))
            case "BUILD":  # attributes of a dict or a parameter, which no weight depends on
                _expect(stack[-2], (dict, StoredTensor))
                stack.pop()
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "PROTO" | "FRAME":
                pass
            case _:
                raise Damaged(
                    f"holds what is no plain data (the instruction {instruction}), and may run "
                    "code; it is not read."
                )

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise LookupError("it takes what is not there")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _storage(self, place: Any) -> Storage:
        kind, type_name, key, _, count, *views = _expect(place, tuple)
        if kind != "storage" or any(views):  # parts of storages, until PyTorch 0.4
            raise ValueError("values in a place of another kind")
        if type(count) is not int or not 0 <= count < _MAX_COUNT:
            raise ValueError("values of a number that cannot be")
        return self._open_storage(_expect(type_name, Name), str(key)[:80], count)


def _allowed(name: Name) -> Name:
    """Raises if it is neither what `_make` knows nor a type of values."""
    plain = name.module in ("builtins", "__builtin__") and name.name in _BUILTINS
    of_values = name.module == "torch" and (name.name.endswith("Storage") or name.name in DTYPES)
    if name in _MADE or plain or of_values:
        return name
    raise Damaged(
        f"names {str(name)[:80]!r}, which is neither a tensor nor a plain container: it could run "
        "code, and is not read. Save the model's state_dict alone."
    )


def _make(function: Any, arguments: tuple[Any, ...]) -> Any:
    if function not in _MADE:
        raise Damaged(f"calls {str(function)[:80]!r}, which is not done. Save the state_dict.")
    return _MADE[function](*arguments)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StoredTensor:
    numbers = [offset, *_expect(shape, tuple), *_expect(strides, tuple)]
    if not isinstance(storage, Storage) or not all(type(number) is int for number in numbers):
        raise ValueError("a tensor without storage, or without a shape")
    if len(shape) != len(strides):
        raise ValueError("a tensor of as many sides as strides was expected")
    return StoredTensor(storage, offset, shape, strides)


def _mapping(pairs: Any = (), *_: Any) -> dict[Any, Any]:
    found = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        # Other keys could be chosen so that dicts become slow.
        if type(key) is not str and not (type(key) is int and 0 <= key < _MAX_KEY):
            raise ValueError("names that are no texts")
        found[key] = value
    return found


def _pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    if len(values) % 2:
        raise ValueError("a name without a value")
    return list(zip(values[::2], values[1::2], strict=True))


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in a place of another kind")
    return value


_MADE: dict[Name, Callable[..., Any]] = {  # what a name means, without the name's code
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    Name("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
    Name("collections", "OrderedDict"): _mapping,
    Name("collections", "Counter"): _mapping,
    Name("collections", "defaultdict"): lambda *_: {},
    Name("torch", "Size"): lambda sides=(), *_: tuple(_expect(sides, (tuple, list))),
    Name("torch", "device"): lambda *_: None,
}
