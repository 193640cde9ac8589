"""The exhibit: what is handed to a court and to the other side, made from a vault and checked.

Writing (``staging``, ``export``) takes a vault, a choice and a policy; reading (``zip_container``,
``folder_container``, ``judge``) takes a file or a folder from a stranger and loads no vault.

Specification: ``docs/spec/exhibit.md``; BagIt 1.0 (RFC 8493); RO-Crate 1.1.
"""
