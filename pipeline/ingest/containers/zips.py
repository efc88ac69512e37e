"""The one member of a zip file, found in its directory before a byte is decoded."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import DumpError

# A directory of one member, and of what a Mac puts beside it (a workbook has some dozens); 65,535 entries would take seconds to read.
_ENTRIES, _WORKBOOK_ENTRIES, _DIRECTORY_BYTES = 64, 4_096, 1 << 20
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True)
class Member:
    """Where a member's packed bytes lie in its zip file, how many there are, and what its text must turn out to be."""

    start: int
    packed: int
    size: int
    crc: int
    is_deflated: bool


def only_member(stream: BinaryIO, name: str) -> Member:
    """Find the one member of a zip file.

    Parameters
    ----------
    stream : the file, able to seek; left anywhere.
    name : how an error calls it.

    Raises
    ------
    DumpError
        The directory is damaged, or holds anything but one plain file: none or several, a link, a name that leaves its folder, a
        password, a method that is not read.
    """
    entries = directory(stream, name)
    for entry in entries:
        if _leaves(entry.filename):
            raise DumpError(f"{name}: holds a name that leaves its folder; pack the file again")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DumpError(f"{name}: holds a link; put the file itself there")
    # A Mac packs its own notes in a folder beside each file.
    files = [entry for entry in entries if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        raise DumpError(f"{name}: holds {len(files)} files, wanted one; send each in a .zip of its own")
    return _located(stream, files[0], name)


def directory(stream: BinaryIO, name: str, many: bool = False) -> list[zipfile.ZipInfo]:
    """What a zip file says that it holds; raises `DumpError` when that is damaged, or more entries than one file or a workbook needs."""
    _look_at_end(stream, name, _WORKBOOK_ENTRIES if many else _ENTRIES)
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, struct.error):
        raise _damaged(name) from None


def _located(stream: BinaryIO, entry: zipfile.ZipInfo, name: str) -> Member:
    if entry.flag_bits & 1:
        raise DumpError(f"{name}: has a password; send it without")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DumpError(f"{name}: packed by a method that is not read (number {entry.compress_type}); pack it with deflate")
    end = stream.seek(0, os.SEEK_END)
    if not 0 <= entry.header_offset < end:
        raise _damaged(name)
    stream.seek(entry.header_offset)
    head = stream.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise _damaged(name)
    *_, name_bytes, extra_bytes = _LOCAL.unpack(head)
    start = entry.header_offset + _LOCAL.size + name_bytes + extra_bytes
    is_deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    if start + entry.compress_size > end or (not is_deflated and entry.compress_size != entry.file_size):
        raise _damaged(name)
    return Member(start, entry.compress_size, entry.file_size, entry.CRC, is_deflated)


def _look_at_end(stream: BinaryIO, name: str, most: int) -> None:
    """Refuse a directory that would take long to read, before it is read."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - (1 << 16) - _END.size))
    tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise _damaged(name)
    _, _, _, _, entries, directory_bytes, _, _ = _END.unpack_from(tail, place)
    if entries > most or directory_bytes > _DIRECTORY_BYTES:
        raise DumpError(f"{name}: holds {entries:,} files, wanted one; send each in a .zip of its own")


def _leaves(member: str) -> bool:
    parts = member.replace("\\", "/").split("/")
    return ".." in parts or member.startswith(("/", "\\")) or member[1:2] == ":"


def _damaged(name: str) -> DumpError:
    return DumpError(f"{name}: a zip that is damaged or cut off; wait for the upload to finish, or send the file again")
