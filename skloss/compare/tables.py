"""Reading tables from files: CSV in its many dialects, Parquet, Arrow, compressed.

The kind of a file is told by its first bytes, not by its name.
"""

import bz2
import csv
import gzip
import io
import lzma
import re
import warnings
from pathlib import Path

from skloss.compare.errors import InputError, first_line, require

__all__ = ["load_table", "read_table"]

_COMPRESSED = ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma))
_BINARY = {".parquet", ".pq", ".feather", ".arrow"}
_SAMPLE_LINES = 200
_DELIMITERS = ",;\t|"
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
_DECIMAL_POINT = re.compile(r"\s*[-+]?\d*\.\d+([eE][-+]?\d+)?\s*")
_POINT_THOUSANDS = re.compile(r"\s*[-+]?\d{1,3}(\.\d{3})+(,\d+)?\s*")


def load_table(path, target=None, *, bags=None):
    r"""Read a file and prepare it exactly as the command line does.

    Parameters
    ----------
    path : path-like
        CSV (any usual delimiter, decimal commas, byte-order marks), Parquet or
        Arrow/Feather; plain or compressed by gzip, bzip2 or xz.
    target : str, default=None
        Column to predict; None when there is nothing to predict.
    bags : str, default=None
        Column that names the bag of each row.

    Returns
    -------
    X : DataFrame of shape (n_samples, n_features)
        The other columns, cleaned; rows without a target are left out.
    y : Series of shape (n_samples,)
        Only with ``target``.
    bags : Series of shape (n_samples,)
        Only with ``bags``.

    Raises
    ------
    InputError
        When the file cannot be read or a column is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skloss.compare import load_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "fruit.csv")
    ...     _ = file.write_text("weight;sort\n1,5;apple\n0,2;plum\n")
    ...     X, y = load_table(file, target="sort")
    >>> X["weight"].tolist(), y.tolist()
    ([1.5, 0.2], ['apple', 'plum'])
    """
    from skloss.compare.cleaning import clean_table, split_columns

    table, _ = read_table(path)
    X, y, groups = split_columns(table, target, bags, source=Path(path).name)
    keep = X.index if y is None else y.index[y.notna()]
    X, _ = clean_table(X.loc[keep])
    parts = [X] + [part.loc[keep] for part in (y, groups) if part is not None]
    return parts[0] if len(parts) == 1 else tuple(parts)


def read_table(path):
    """Read a file into a table.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    table : DataFrame
        With a plain range index and unique text column names.
    notes : list of str
        What a reader should know about how the file was understood.

    Raises
    ------
    InputError
    """
    pandas = require("pandas")
    path = Path(path)
    data = _read_bytes(path)
    try:
        for magic, module in _COMPRESSED:
            if data.startswith(magic):
                data = module.decompress(data)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(
            f"{path.name} cannot be decompressed ({first_line(error)})", "data"
        ) from error
    if not data.strip():
        raise InputError(f"{path.name} is empty", "data")
    if data.startswith((b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")):
        table, notes = _read_arrow(data, path.name), []
    elif path.suffix.lower() in _BINARY:
        raise InputError(f"{path.name} does not hold what its name says", "data")
    else:
        table, notes = _read_text(data, path, pandas)
    if not len(table):
        raise InputError(f"{path.name} has column names but no rows", "data")
    from skloss.compare.cleaning import unique_names

    table, renamed = unique_names(table.reset_index(drop=True))
    return table, notes + renamed


def _read_bytes(path):
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}", "data") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not a file", "data") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"{path} cannot be read ({reason})", "data") from error


def _read_arrow(data, name):
    """Read Parquet, Arrow files, Arrow streams and Feather."""
    pyarrow = require("pyarrow")
    source = pyarrow.BufferReader(data)
    try:
        if data.startswith(b"PAR1"):
            table = require("pyarrow.parquet").read_table(source)
        elif data.startswith(b"\xff\xff\xff\xff"):
            table = require("pyarrow.ipc").open_stream(source).read_all()
        else:
            table = require("pyarrow.feather").read_table(source)
        names = table.column_names
        # pandas refuses some tables with repeated names, so they are set afterwards.
        table = table.rename_columns([str(i) for i in range(len(names))])
        return table.to_pandas(ignore_metadata=True).set_axis(names, axis=1)
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise InputError(
            f"{name} is damaged or no table ({first_line(error)})", "data"
        ) from error


def _decode(data, name):
    """Text of a file and a note when its encoding had to be guessed."""
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = (
            "; unpack the archive, or save the workbook as CSV"
            if data.startswith(b"PK")
            else ""
        )
        raise InputError(
            f"{name} is not CSV, Parquet or Arrow, plain or compressed{hint}", "data"
        )
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16"), []
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), [
            f"{name} is not UTF-8; it was read as Windows-1252"
        ]


def _dialect(lines):
    """Delimiter of a CSV sample: the one that cuts most lines into equally many."""
    best, delimiter = (0.0, 0), ","
    for candidate in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=candidate) if row]
        usual = max(set(widths), key=widths.count)
        if usual > 1:
            score = (widths.count(usual) / len(widths), usual)
            best, delimiter = max((best, delimiter), (score, candidate))
    return delimiter


def _number_format(lines, delimiter):
    """Decimal mark and thousands separator for pandas."""
    if delimiter == ",":
        # An unquoted comma separates columns; only quoted fields can hold one.
        fields = [f for row in csv.reader(lines) for f in row]
    else:
        fields = [f for row in csv.reader(lines, delimiter=delimiter) for f in row]
    commas = sum(bool(_DECIMAL_COMMA.fullmatch(field)) for field in fields)
    both = sum("," in f and bool(_POINT_THOUSANDS.fullmatch(f)) for f in fields)
    points = sum(
        bool(_DECIMAL_POINT.fullmatch(f)) and not _POINT_THOUSANDS.fullmatch(f)
        for f in fields
    )
    if commas + both > points:
        return ",", "." if both else None
    return ".", None


def _read_text(data, path, pandas):
    """Read delimited text."""
    text, notes = _decode(data, path.name)
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of the first Macintoshes
    lines = []
    for line in io.StringIO(text):
        if line.strip():
            lines.append(line)
        if len(lines) == _SAMPLE_LINES:
            break
    try:
        delimiter = _dialect(lines)
        decimal, thousands = _number_format(lines, delimiter)
        header, *rows = csv.reader(lines, delimiter=delimiter)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pandas.errors.ParserWarning)
            table = pandas.read_csv(
                io.StringIO(text),
                sep=delimiter,
                decimal=decimal,
                thousands=thousands,
                na_values=["?"],
                skipinitialspace=True,
                low_memory=False,
                index_col=False if _end_in_delimiters(header, rows) else None,
            )
    except (ValueError, csv.Error, pandas.errors.EmptyDataError) as error:
        raise InputError(
            f"{path.name} is not a table ({first_line(error)})", "data"
        ) from error
    if len(header) == table.shape[1] and len(set(header)) < len(header):
        table.columns = header
    table.columns = [str(name).strip() for name in table.columns]
    if all(_is_number(name) for name in header):
        notes.append(
            "the first line was taken as column names, although it holds only numbers"
        )
    return table, notes


def _end_in_delimiters(header, rows):
    """Whether each row, but not the header, ends in a delimiter.

    Pandas takes rows with one value more than there are names to begin with the name
    of the row, as some programs write them, and would move all values by one column.
    """
    whole = rows[:-1] or rows  # the last one may have been cut
    return all(len(row) == len(header) + 1 and not row[-1].strip() for row in whole)


def _is_number(text):
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
