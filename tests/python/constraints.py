"""Constraints of arguments: reading, satisfying, narrowing (spec/constraint.md)."""

from dataclasses import dataclass
from typing import Any

from forms import array, members, need, qualified
from strict_json import equal

MAX_TOOLS, MAX_ARGUMENTS, MAX_DEPTH, MAX_COST, MAX_ELEMENTS, MAX_CLAUSES = 256, 64, 16, 1024, 4096, 128

PATH_PREFIX = "io.github.agent-attest/path_prefix"
# White_Space of Unicode, which differs from what str.strip takes in U+001C to U+001F; these are controls anyhow.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
# A constraint that was read is the JSON object itself.
Constraint = dict[str, Any]
Tools = dict[str, dict[str, Constraint]]
_LISTS = {"one_of": "values", "not_one_of": "excluded", "contains": "required", "subset": "allowed"}


@dataclass
class Budget:
    """Rule 10: constraints and listed values of one token, summed over its tools."""

    left: int = MAX_COST

    def spend(self, cost: int) -> None:
        self.left -= cost
        need(self.left >= 0)


def read_constraint(value: Any, budget: Budget, depth: int = 1) -> Constraint:
    """Raises FormError for what cannot be read, an unknown type, a limit."""
    need(depth <= MAX_DEPTH and isinstance(value, dict))
    budget.spend(1)
    kind = value.get("constraint_type")
    need(isinstance(kind, str))
    if kind == "wildcard":
        members(value, ("constraint_type",))
    elif kind == "exact":
        members(value, ("constraint_type", "value"))
        need(not isinstance(value["value"], (list, dict)))
    elif kind == PATH_PREFIX:
        members(value, ("constraint_type", "prefix"))
        need(isinstance(value["prefix"], str) and (value["prefix"] == "/" or _plain(value["prefix"])))
    elif kind == "range":
        members(value, ("constraint_type",), ("min", "min_inclusive", "max", "max_inclusive"))
        for bound in ("min", "max"):  # rule 2
            inclusive = bound + "_inclusive"
            need(bound not in value or type(value[bound]) is float)
            need(inclusive not in value or (bound in value and isinstance(value[inclusive], bool)))
    elif kind in _LISTS:
        members(value, ("constraint_type", _LISTS[kind]))
        budget.spend(len(array(value[_LISTS[kind]])))
    else:
        need(kind in ("all", "any"))
        members(value, ("constraint_type", "constraints"))
        need(0 < len(array(value["constraints"])) <= MAX_CLAUSES)
        for clause in value["constraints"]:
            read_constraint(clause, budget, depth + 1)
    return value


def read_tools(value: Any) -> Tools:
    """delegation.md, rules 6 to 8."""
    need(isinstance(value, dict) and len(value) <= MAX_TOOLS)
    budget = Budget()
    for tool, arguments in value.items():
        qualified(tool)
        need(isinstance(arguments, dict) and len(arguments) <= MAX_ARGUMENTS)
        for constraint in arguments.values():
            read_constraint(constraint, budget)
    return value


def _among(value: Any, values: list[Any]) -> bool:
    return any(equal(value, other) for other in values)


def _plain(path: str) -> bool:
    """Rule 11: every reader takes each step for something below the step before."""
    return path.startswith("/") and all(_step(step) for step in path[1:].split("/"))


def _step(step: str) -> bool:
    odd = any(c in "\\%" or c <= "\x1f" or "\x7f" <= c <= "\x9f" for c in step)
    return step.strip(".") != "" and not odd and step == step.strip(_BLANKS)


def _below(folder: str, path: str) -> bool:
    return _plain(path) and path.startswith("/" if folder == "/" else folder + "/")


def _bound(constraint: Constraint, which: str) -> tuple[float, bool] | None:
    """A bound of a range and whether it is inclusive; None where it is open."""
    return (constraint[which], constraint.get(which + "_inclusive", True)) if which in constraint else None


def allows(constraint: Constraint, value: Any) -> bool:
    """Whether the value satisfies the constraint (the table of types)."""
    kind = constraint["constraint_type"]
    if kind == "wildcard":
        return True
    if kind == "exact":
        return equal(value, constraint["value"])
    if kind == "range":
        if type(value) is not float:
            return False
        low, high = _bound(constraint, "min"), _bound(constraint, "max")
        above = low is None or value > low[0] or (low[1] and value == low[0])
        return above and (high is None or value < high[0] or (high[1] and value == high[0]))
    if kind == PATH_PREFIX:
        return isinstance(value, str) and _below(constraint["prefix"], value)
    if kind == "one_of":
        return _among(value, constraint["values"])
    if kind == "not_one_of":
        return not _among(value, constraint["excluded"])
    if kind in ("contains", "subset"):
        if not isinstance(value, list) or len(value) > MAX_ELEMENTS:  # rule 3
            return False
        inner, outer = (constraint["required"], value) if kind == "contains" else (value, constraint["allowed"])
        return all(_among(item, outer) for item in inner)
    clauses = (allows(clause, value) for clause in constraint["constraints"])
    return all(clauses) if kind == "all" else any(clauses)


def arguments_allowed(constraints: dict[str, Constraint], arguments: Any) -> bool:
    """Rules 5 and 6; `arguments` is None where the call has none."""
    if not constraints:
        return True
    return arguments is not None and set(arguments) == set(constraints) and all(allows(constraints[n], v) for n, v in arguments.items())


def narrows(parent: Constraint, child: Constraint) -> bool:
    """Rule 7: what is not in the table does not narrow."""
    above, below = parent["constraint_type"], child["constraint_type"]
    if above == "wildcard":
        return True
    if below == "exact" and above in ("exact", "range", "one_of", "not_one_of", PATH_PREFIX):
        return allows(parent, child["value"])
    if below == "one_of" and above == PATH_PREFIX:
        return all(allows(parent, value) for value in child["values"])
    if above != below:
        return False
    if above == PATH_PREFIX:
        return parent["prefix"] == child["prefix"] or _below(parent["prefix"], child["prefix"])
    if above == "range":
        return _tighter(parent, child, "min", 1) and _tighter(parent, child, "max", -1)
    if above in ("one_of", "subset"):
        member = _LISTS[above]
        return all(_among(item, parent[member]) for item in child[member])
    if above in ("not_one_of", "contains"):
        member = _LISTS[above]
        return all(_among(item, child[member]) for item in parent[member])
    if above == "all":
        return _matching(parent["constraints"], child["constraints"])
    if above == "any":
        return all(any(narrows(p, c) for p in parent["constraints"]) for c in child["constraints"])
    return False


def _tighter(parent: Constraint, child: Constraint, which: str, direction: int) -> bool:
    outer, inner = _bound(parent, which), _bound(child, which)
    if outer is None:
        return True
    if inner is None:
        return False
    return inner[0] * direction > outer[0] * direction or (inner[0] == outer[0] and (outer[1] or not inner[1]))


def _matching(parents: list[Constraint], children: list[Constraint]) -> bool:
    """Rule 8: each parent clause gets a child clause of its own, by augmenting paths."""
    edges = [[c for c, child in enumerate(children) if narrows(parent, child)] for parent in parents]
    taken: dict[int, int] = {}

    def place(parent: int, seen: set[int]) -> bool:
        for c in edges[parent]:
            if c not in seen:
                seen.add(c)
                if c not in taken or place(taken[c], seen):
                    taken[c] = parent
                    return True
        return False

    return len(parents) <= len(children) and all(place(p, set()) for p in range(len(parents)))


def arguments_narrow(parent: dict[str, Constraint], child: dict[str, Constraint]) -> bool:
    """Rule 9."""
    return not parent or (set(parent) == set(child) and all(narrows(parent[n], child[n]) for n in parent))


def tools_narrow(parent: Tools, child: Tools) -> bool:
    """delegation.md, rule 9."""
    return all(tool in parent and arguments_narrow(parent[tool], arguments) for tool, arguments in child.items())
