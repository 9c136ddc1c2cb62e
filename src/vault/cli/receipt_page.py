"""A receipt as a page that a person can be shown, and can print: plain words, nothing from elsewhere, every value escaped."""

from collections.abc import Iterable
from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Receipt of an erasure</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff }}
dt {{ font-weight: bold; margin-top: .8em }}
dd {{ margin: 0; overflow-wrap: anywhere }}
p.note {{ border-top: 1px solid #999; padding-top: 1em }}
@media print {{ body {{ margin: 0 }} }}
</style>
</head>
<body>
<h1>Receipt of an erasure</h1>
<p>The vault that kept this personal data encrypted has destroyed the keys to it. Without them nobody can read what copies may be
left, the vault's operator included.</p>
<dl>
{rows}
</dl>
<h2>What is proven</h2>
<ul>
{proofs}
</ul>
<p class="note">Keep the file that this page was made from: it can be checked without the vault, against the public key of the
vault's log, with <code>pdvault erasure verify</code>.</p>
</body>
</html>
"""


def page(told: Iterable[tuple[str, str]], proofs: Iterable[str]) -> str:
    """The page.

    Args:
        told: what the receipt says, as questions and answers.
        proofs: what was verified of it, and what not.
    """
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in told)
    return _PAGE.format(rows=rows, proofs="\n".join(f"<li>{escape(each)}</li>" for each in proofs))
