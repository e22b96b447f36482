# SPDX-License-Identifier: Apache-2.0
"""What the checks of the tree share: finding its files, reading C by its comments, statements and
functions (no preprocessing, no types), and speaking TAP."""
import bisect
import json
import os
import re

LIBRARY_ROOMS = ['lockfree', 'affinity', 'sync', 'pool', 'ipc', 'io']
OTHER_ROOMS = ['tools', 'bench', 'examples', 'tests']
NOT_OURS = re.compile(r'^(build.*|\.git|\.cache|__pycache__)$')


def tree_files(root, endings=None):
    """Paths below root, relative to it and sorted, without build folders and git's own (which is
    a file in a work tree that was added)."""
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not NOT_OURS.match(name)]
        for name in names:
            if not NOT_OURS.match(name) and (endings is None or name.endswith(endings)):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def installed_headers(build):
    """Their names as a program spells them, `weft/room/thing.h`, from what meson would install."""
    with open(os.path.join(build, 'meson-info', 'intro-installed.json'), encoding='utf-8') as file:
        return {target.split('/include/')[-1] for target in json.load(file).values()
                if target.endswith('.h')}


class Tap:
    """Points of a TAP stream; each has a list of complaints, empty when all is well."""

    def __init__(self):
        self.points = self.bad = 0

    def point(self, name, complaints):
        self.points += 1
        self.bad += bool(complaints)
        print(f'{"not ok" if complaints else "ok"} {self.points} - {name}')
        for complaint in complaints:
            for line in str(complaint).splitlines():
                print(f'#   {line}', flush=True)

    def skip(self, name, why):
        self.points += 1
        print(f'ok {self.points} - {name} # SKIP {why}')

    def finish(self):
        print(f'1..{self.points}', flush=True)
        return 1 if self.bad else 0


class Span:
    """A stretch of the source: [start, end) as offsets into the text."""

    def __init__(self, start, end, text=''):
        self.start, self.end, self.text = start, end, text


class Function(Span):
    """From the first character after whatever stands before it, so that its head comment is
    inside; `first` is where its declaration begins, `body` where its brace opens."""

    def __init__(self, start, first, body, end, head):
        super().__init__(start, end)
        self.first, self.body = first, body
        names = re.findall(r'(\w*[a-z]\w*)\s*\(', re.sub(r'__attribute__\s*\(\(.*?\)\)', '', head))
        self.name = names[0] if names else '?'


class Source:
    """One C file: `code` is the text with comments, literals and directives blanked out, so that
    every offset is valid in both."""

    TOKEN = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    DIRECTIVE = re.compile(r'^[ \t]*(?:#(?:[^\n]*\\\n)*[^\n]*|WEFT_\w+_DECLS$)', re.MULTILINE)

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.thing = os.path.splitext(os.path.basename(path))[0]
        self.newlines = [match.start() for match in re.finditer('\n', text)]
        self.comments = []
        no_comments = self.TOKEN.sub(self.blank_token_, text)
        self.directives = [Span(match.start(), match.end(), match.group())
                           for match in self.DIRECTIVE.finditer(no_comments)]
        self.code = self.DIRECTIVE.sub(lambda match: blank(match.group()), no_comments)
        self.functions, self.boundaries = [], [-1]
        self.scan_()

    def blank_token_(self, match):
        token = match.group()
        if token[0] != '/':
            return token[0] + blank(token[1:-1]) + token[-1]
        words = re.sub(r'\s*\n[ \t]*\*?[ \t]*', ' ', token.strip('/').strip('*')).strip()
        self.comments.append(Span(match.start(), match.end(), words))
        return blank(token)

    def scan_(self):
        """Finds the statement boundaries, which are the `;` `{` `}` outside parentheses, and the
        functions: blocks outside any other whose head is a declaration with parameters."""
        parentheses, blocks = 0, []
        item = 0  # where the text before the current top-level item ends
        for offset in (match.start() for match in re.finditer(r'[(){};]', self.code)):
            character = self.code[offset]
            if character in '()':
                parentheses += 1 if character == '(' else -1
            elif parentheses:
                continue
            else:
                head = self.code[self.boundaries[-1] + 1:offset]
                self.boundaries.append(offset)
                outside = all(kind == 'transparent' for kind, _ in blocks)
                if character == '{':
                    blocks.append((self.kind_(head) if outside else 'block', (item, head, offset)))
                elif character == '}' and blocks:
                    kind, (start, head, body) = blocks.pop()
                    if kind == 'function':
                        # Its last paragraph: calls of macros without a semicolon may precede it.
                        head = re.split(r'\n\s*\n', head)[-1].lstrip()
                        self.functions.append(
                            Function(start, body - len(head), body, offset + 1, head))
                if all(kind == 'transparent' for kind, _ in blocks):
                    item = offset + 1

    @staticmethod
    def kind_(head):
        head = head.strip()
        if re.search(r'\b(namespace|extern)\b', head) and '(' not in head:
            return 'transparent'
        flat = head
        while re.search(r'\([^()]*\)', flat):
            flat = re.sub(r'\([^()]*\)', ' ', flat)
        if '(' in head and not re.search(r'[^=!<>]=[^=]|=$', flat):
            return 'function'
        return 'transparent' if re.search(r'\b(class|struct)\b', flat) and '=' not in flat \
            else 'block'

    def line(self, offset):
        return bisect.bisect_left(self.newlines, offset) + 1

    def place(self, offset):
        return f'{self.path}:{self.line(offset)}'

    def function_at(self, offset):
        for function in self.functions:
            if function.start <= offset < function.end:
                return function
        return None

    def statement(self, offset):
        """The statement around offset: from the boundary before it to the one after it. To the
        condition in `} while (...)` and `} else if (...)` belongs what stands before the brace."""
        after = bisect.bisect_right(self.boundaries, offset)
        end = self.boundaries[after] if after < len(self.boundaries) else len(self.code)
        before = self.boundaries[after - 1]
        if re.match(r'\} (while|else)\b', self.code[before:before + 8]):
            before = self.boundaries[after - 2]
        return Span(before + 1, end)

    def comments_of(self, statement):
        """The comments above and inside a statement and behind it on its last line, but not the
        one behind the statement before."""
        first = self.line(statement.start - 1) if self.text[statement.start - 1] == ';' else 0
        last = self.line(statement.end)
        for comment in self.comments:
            if statement.start <= comment.start < statement.end:
                if self.line(comment.start) != first or \
                        self.line(comment.start) == self.line(self.first_code_(statement)):
                    yield comment
            elif comment.start > statement.end and self.line(comment.start) == last and \
                    not self.code[statement.end + 1:comment.start].strip():
                yield comment

    def first_code_(self, statement):
        found = re.compile(r'\S').search(self.code, statement.start, statement.end)
        return found.start() if found else statement.end


def blank(text):
    return re.sub(r'[^\n]', ' ', text)


def arguments(code, opening):
    """The arguments of the call whose `(` stands at opening, and the offset behind its `)`."""
    depth, start, found = 0, opening + 1, []
    for offset in range(opening, len(code)):
        character = code[offset]
        if character in '([{':
            depth += 1
        elif character in ')]}':
            depth -= 1
        if depth == 0 or (depth == 1 and character == ','):
            found.append(code[start:offset].strip())
            start = offset + 1
        if depth == 0:
            return found, offset + 1
    return found, len(code)
