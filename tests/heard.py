"""A screen of `closedloop replay` that keeps what it is told, and answers as a test wants."""

from collections.abc import Awaitable, Callable


class Heard:
    """A screen that keeps what it was told."""

    def __init__(self, answer: bool | None = None) -> None:
        self.lines: list[str] = []
        self.steps: list[str] = []
        self.questions: list[str] = []
        self._answer = answer

    def say(self, line: str) -> None:
        self.lines.append(line)

    def step(self, name: str) -> None:
        self.steps.append(name)

    def tell(self, done: int, total: int, waiting: str = "") -> None:
        pass

    def confirms(self, question: str) -> bool | None:
        self.questions.append(question)
        return self._answer

    def is_at(self, step: str) -> Callable[[], Awaitable[bool]]:
        """The condition that it has come to this step."""

        async def there() -> bool:
            return step in self.steps

        return there

    @property
    def page(self) -> str:
        return "\n".join(self.lines)
