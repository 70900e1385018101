"""Standards in SARIF: their controls as taxonomies, and the relationships of rules to them."""

from __future__ import annotations

from collections.abc import Iterable

import sarif_om as om

from nginxaudit.engine.rules.standards import controls_of, standards


def taxonomies(slugs: Iterable[str]) -> list[om.ToolComponent]:
    """The standards with the controls that findings of the rules ``slugs`` break."""
    broken: dict[str, set[str]] = {}
    for slug in slugs:
        for name, numbers in controls_of(slug).items():
            broken.setdefault(name, set()).update(numbers)
    return [
        om.ToolComponent(
            name=name,
            full_name=f"{standard.title} {standard.version}",
            version=standard.version,
            information_uri=standard.url,
            short_description=om.MultiformatMessageString(text=f"{standard.title} {standard.version}."),
            taxa=[
                om.ReportingDescriptor(
                    id=number, short_description=om.MultiformatMessageString(text=f"{control.title}.")
                )
                for number, control in standard.controls.items()
                if number in broken[name]
            ],
        )
        for name, standard in standards().items()
        if name in broken
    ]


def references(components: Iterable[om.ToolComponent]) -> list[om.ToolComponentReference]:
    """The taxonomies that the driver supports, by their names."""
    return [om.ToolComponentReference(name=each.name) for each in components]


def relationships(slug: str) -> list[om.ReportingDescriptorRelationship] | None:
    """The controls that the rule ``slug`` is about; None without any."""
    found = [
        om.ReportingDescriptorRelationship(
            target=om.ReportingDescriptorReference(
                id=number, tool_component=om.ToolComponentReference(name=name)
            ),
        )
        for name, numbers in controls_of(slug).items()
        for number in numbers
    ]
    return found or None
