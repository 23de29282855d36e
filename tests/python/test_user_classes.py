"""`tapconv.convert` and users' own classes: nothing of theirs is in the way, and nothing of theirs is shadowed."""

import copy
import pickle
import subprocess
import sys
from typing import ClassVar

import pytest
import torch
from support import kernel_calls
from torch import nn

import tapconv

SIGNAL = torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0))


class NeedsArguments(nn.Conv1d):
    def __init_subclass__(cls, *, label, **keywords):
        super().__init_subclass__(**keywords)
        cls.label = label


class Enlisted(nn.Conv1d):
    members: ClassVar[list[type]] = []

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        Enlisted.members.append(cls)


class Member(Enlisted):
    pass


class Final(nn.Conv1d):
    def __init_subclass__(cls, **keywords):
        raise TypeError("Final has no subclasses")


class Registry(type):
    classes: ClassVar[dict[str, type]] = {}

    def __new__(cls, name, bases, namespace):
        if name in cls.classes:
            raise TypeError(f"a class named {name} exists already")
        cls.classes[name] = super().__new__(cls, name, bases, namespace)
        return cls.classes[name]


class Registered(nn.Conv1d, metaclass=Registry):
    pass


class Frozen(nn.Conv1d):
    """Takes no attributes once it is made."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.__dict__["frozen"] = True

    def __setattr__(self, name, value):
        if self.__dict__.get("frozen"):
            raise AttributeError(f"{name} cannot be set")
        super().__setattr__(name, value)


class HasTheNames(nn.Conv1d):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.algorithm = 3
        self.is_packed = "no"

    def pack(self):
        return "my own"

    def unpack(self):
        return "my own, too"


class HasAlgorithmAsAModule(nn.Conv1d):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.algorithm = nn.Identity()


class Answers(nn.Conv1d):
    """Computes attributes, and some of them not."""

    def __getattr__(self, name):
        if name.startswith("_") or name in ("weight", "bias"):
            return super().__getattr__(name)
        if name == "algorithm":
            raise KeyError(name)
        return f"the {name} of mine"


class Slotted(nn.Conv1d):
    __slots__ = ("extra",)


class Unhashable(nn.Conv1d):
    def __eq__(self, other):
        return False

    __hash__ = None


class Transposed(nn.ConvTranspose1d, metaclass=Registry):
    algorithm = "mine"


CLASSES = [NeedsArguments, Enlisted, Member, Final, Registered, Frozen, HasTheNames, HasAlgorithmAsAModule, Answers]
CLASSES += [Slotted, Unhashable, Transposed]


@pytest.mark.parametrize("cls", CLASSES)
def test_converted(cls):
    module = cls(4, 6, 3)
    before, members = dict(vars(module)), list(Enlisted.members)
    model = nn.ModuleList([nn.Conv1d(1, 1, 1), module, nn.Conv1d(1, 1, 1)])
    expected = module(SIGNAL)
    assert len(tapconv.report(tapconv.convert(model)).converted) == 3
    with kernel_calls() as calls:
        torch.testing.assert_close(module(SIGNAL), expected)
    assert calls.forward == 1 and not calls.by_torch
    assert type(module) is cls and Enlisted.members == members
    assert {name: vars(module)[name] for name in before} == before
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(other) is cls and tapconv.report(other).converted
    tapconv.revert(model)
    assert vars(module) == before and torch.equal(module(SIGNAL), expected)


def test_names_stay_the_users():
    module = tapconv.convert(HasTheNames(4, 6, 3).eval())
    assert (module.algorithm, module.is_packed, module.pack(), module.unpack()) == (3, "no", "my own", "my own, too")
    assert tapconv.convert(Answers(4, 6, 3)).anything == "the anything of mine"
    assert tapconv.convert(Transposed(4, 6, 3)).algorithm == "mine"


def test_names_are_those_of_converted_modules_alone():
    converted, other = tapconv.convert(nn.Conv1d(4, 6, 3)), nn.Conv1d(4, 6, 3)
    for name in ("pack", "unpack", "is_packed", "algorithm"):
        assert hasattr(converted, name)
        assert not hasattr(other, name) and not hasattr(nn.Conv1d, name) and not hasattr(nn.ConvTranspose1d, name)
    with pytest.raises(AttributeError, match="'Conv1d' object has no attribute 'pack'"):
        other.pack()
    other.pack = 1
    assert other.pack == 1


class Unreadable(nn.Conv1d):
    @property
    def weight(self):
        raise ValueError("not today")


def test_left_alone_with_the_reason():
    """One module that cannot be converted keeps no other from it."""
    broken = nn.Conv1d(4, 6, 3)
    broken.__class__ = Unreadable
    model = nn.ModuleList([nn.Conv1d(1, 1, 1), broken, nn.Conv1d(1, 1, 1)])
    before = dict(vars(broken))
    report = tapconv.report(tapconv.convert(model))
    assert len(report.converted) == 2 and vars(broken) == before
    assert report.left_alone[0].remark == "its weight cannot be read: ValueError: not today"


PACKED = [cls for cls in CLASSES if cls not in (Frozen, HasTheNames, HasAlgorithmAsAModule, Answers, Transposed)]


@pytest.mark.parametrize("cls", PACKED)
def test_packed(cls):
    module = tapconv.convert(cls(4, 6, 3).eval())
    members, classes = list(Enlisted.members), dict(Registry.classes)
    with torch.no_grad():
        expected = module(SIGNAL)
        assert not module.is_packed and module.pack(input_length=40) is module and module.is_packed
        for other in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            with torch.profiler.profile() as profile:
                torch.testing.assert_close(other(SIGNAL), expected)
            assert "tapconv::conv1d_packed" in {event.key for event in profile.key_averages()}
    assert isinstance(module, cls) and Enlisted.members == members and Registry.classes == classes
    assert repr(module) == repr(cls(4, 6, 3)) and tapconv.report(module).converted
    tapconv.revert(module)
    assert type(module) is cls and vars(module).keys() == vars(cls(4, 6, 3)).keys()


def test_what_cannot_be_packed_stays_as_it_is():
    parametrized = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 3))
    named = HasAlgorithmAsAModule(4, 6, 3)
    for module, error, words in (
        (Frozen(4, 6, 3), AttributeError, "cannot be set"),
        (named, RuntimeError, "one of its own: use tapconv.pack_weight and tapconv.conv1d_packed"),
        (parametrized, RuntimeError, "remove the parametrization first"),
    ):
        vars(module)["training"] = False
        tapconv.convert(module)
        cls, before = type(module), dict(vars(module))
        with pytest.raises(error, match=words):
            module.pack()
        assert type(module) is cls and vars(module) == before
        assert tapconv.report(module).converted


def test_parametrizations_of_packed_modules():
    module = tapconv.convert(nn.Conv1d(4, 6, 3).eval()).pack()
    nn.utils.parametrizations.weight_norm(module)
    expected = module(SIGNAL)
    tapconv.revert(module)
    assert nn.utils.parametrize.is_parametrized(module) and not tapconv.report(module).converted
    torch.testing.assert_close(module(SIGNAL), expected)
    nn.utils.parametrize.remove_parametrizations(module, "weight")
    assert type(module) is nn.Conv1d


@pytest.mark.parametrize("algorithm", ["auto", "direct"])
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
def test_a_padding_that_is_changed_later(algorithm, padding_mode):
    """Counts, or does not, where torch's module has it so."""
    theirs = nn.Conv1d(4, 6, 3, padding=1, padding_mode=padding_mode)
    module, own = tapconv.convert(copy.deepcopy(theirs)), tapconv.Conv1d(4, 6, 3, padding=1, padding_mode=padding_mode)
    own.load_state_dict(theirs.state_dict())
    for changed in (theirs, module, own):
        changed.padding = (7,)
    module.algorithm = own.algorithm = algorithm
    torch.testing.assert_close(module(SIGNAL), theirs(SIGNAL))
    torch.testing.assert_close(own(SIGNAL), theirs(SIGNAL))


def test_algorithm_of_a_converted_module():
    module = tapconv.convert(nn.Conv1d(4, 6, 3))
    module.algorithm = "nonsense"
    with pytest.raises(ValueError, match="nonsense"):
        module(SIGNAL)
    module.algorithm = "direct"
    assert torch.equal(module(SIGNAL), tapconv.conv1d(SIGNAL, module.weight, module.bias, algorithm="direct"))


@pytest.mark.once
def test_pickles_bring_tapconv_along(tmp_path):
    """A process that loads a converted model computes it by tapconv, without being told to."""
    torch.save(tapconv.convert(nn.Sequential(nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 4, 3))), tmp_path / "model.pt")
    program = f"""
import torch
model = torch.load({str(tmp_path / "model.pt")!r}, weights_only=False)
with torch.profiler.profile() as profile:
    model(torch.randn(1, 4, 10))
assert {{"tapconv::conv1d", "tapconv::conv_transpose1d"}} <= {{event.key for event in profile.key_averages()}}
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
