"""Selects the modules whose bytecode is in the single file, in groups of which a run needs all modules or none."""

import ast
from collections.abc import Iterator, Mapping

__all__ = ["group_modules"]

# They sort sys.path, and are therefore loaded before all others.
FIRST = ("cli", "tpmwire_programs", "tpmwire_start")
# Roots of each group, and whether imports inside functions are followed. Bytecode of all modules would take 4 MB.
# So aws-tpm-process-credential has all of its bytecode. Verbs share it, and compile the rest when they start. The
# file must stay below 2.5 MB.
ROOTS = (
    # `tpmwire fetch`.
    ("cli.serving.client", False),
    # Each run, as far as it goes before it opens the TPM.
    ("cli.credential_process cli.toolbox cli.credentials.output cli.credentials.sts sigv4.credentials", False),
    # Each run that opens the TPM.
    (
        "cli.credentials.key cli.tpm.cleanup construct tpmwire.crypto.salt tpmwire.spec.commands.context "
        "tpmwire.spec.commands.objects tpmwire.transport.device tpmwire.transport.sockets tpmwire.use.hmac",
        False,
    ),
    # Runs that call STS.
    (
        "sigv4.client sigv4.endpoints sigv4.http sigv4.retry sigv4.signer sigv4.sts sigv4.times "
        "tpmwire.spec.commands.hierarchy",
        False,
    ),
    # Runs with cached credentials.
    ("cli.credentials.cache.run cli.credentials.cache.key_data tpmwire.use.cached_key", False),
    # Runs with a key file or a profile.
    ("cli.credentials.role_chain cli.terminal.files tpmwire.keys.keyfile", False),
    # Runs with a certificate (Roles Anywhere).
    (
        "cli.credentials.roles_anywhere.session cli.verbs.roles_anywhere_credential_process "
        "sigv4.roles_anywhere_client",
        False,
    ),
    # Errors of the TPM, also the one that shows that it has no storage root key.
    ("tpmwire.spec.response_codes tpmwire.spec.response_texts tpmwire.spec.tss2_codes", False),
    # The other modules that aws-tpm-process-credential can load.
    ("cli.credential_process construct", True),
)
# Loaded by --help, for services other than STS, for templates by name, for keys of other programs, for MFA, and
# for parents other than storage root keys.
OMITTED = (
    "cli.awsconfig.credentials_file",
    "cli.awsconfig.edit",
    "cli.awsconfig.files",
    "cli.credentials.mfa",
    "cli.credentials.totp",
    "cli.terminal.help",
    "cli.terminal.packages",
    "cli.terminal.programs",
    "sigv4.glacier",
    "sigv4.services",
    "tpmwire.crypto.pure.aes",
    "tpmwire.crypto.pure.mlkem",
    "tpmwire.crypto.jwk_ssh",
    "tpmwire.crypto.public_key_formats",
    "tpmwire.crypto.public_keys",
    "tpmwire.keys.template_names",
    "tpmwire.keys.wrapping",
    "tpmwire.spec.capabilities",
    "tpmwire.spec.commands.nv",
    "tpmwire.spec.commands.sequences",
    "tpmwire.spec.properties",
    "tpmwire.state.nv",
    "tpmwire.use.endorsement",
    "tpmwire.use.parents",
)


def group_modules(sources: Mapping[str, str]) -> list[list[str]]:
    """Returns the groups of modules of the single file, each a list of names. `sources` maps names to sources."""
    groups = [list(FIRST)]
    seen = {*FIRST, *OMITTED}
    for roots, late in ROOTS:
        group = _closure(roots.split(), sources, seen, late=late)
        groups.append(sorted(group))
        seen |= group
    return groups


def _closure(roots: list[str], sources: Mapping[str, str], seen: set[str], *, late: bool) -> set[str]:
    """Returns the modules that the roots import, directly or indirectly, except those in `seen`.

    With `late`, imports inside functions count too.
    """
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in sources and module not in found:
            found.add(module)
            waiting += _list_imports(module, sources, late=late)
            waiting += [parent for parent in [module.rpartition(".")[0]] if parent]
    return found - seen


def _list_imports(module: str, sources: Mapping[str, str], *, late: bool) -> Iterator[str]:
    """Yields the modules of the single file that a module imports.

    With `late`, imports inside functions count too.
    """
    package = module if any(name.startswith(f"{module}.") for name in sources) else module.rpartition(".")[0]
    for node in _statements(ast.parse(sources[module]).body, late=late):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            above = package.split(".")[: len(package.split(".")) - max(node.level - 1, 0)] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name in sources)


def _statements(body: list[ast.stmt], *, late: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yields the import statements that run when a module is loaded. With `late`, also those inside functions."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif late or not isinstance(node, ast.FunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from _statements(getattr(node, part, []), late=late)
