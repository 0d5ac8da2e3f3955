"""The payment companies. Each has one module in this folder, and no other module is here."""

import importlib
import inspect
import pkgutil

from connector.provider import Provider


def discover() -> dict[str, type[Provider]]:
    """Return the provider class of every module in this folder, by name.

    Raises RuntimeError if a module has not exactly one provider, or if their names differ.
    """
    classes_by_name: dict[str, type[Provider]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded_module = importlib.import_module(f"{__name__}.{module.name}")
        classes = [
            member
            for _, member in inspect.getmembers(loaded_module, inspect.isclass)
            if issubclass(member, Provider) and member.__module__ == loaded_module.__name__
        ]
        if len(classes) != 1 or classes[0].name != module.name:
            message = f"{loaded_module.__name__} must hold one Provider with name = {module.name!r}"
            raise RuntimeError(message)
        classes_by_name[module.name] = classes[0]
    return classes_by_name
