import Catalog
import Foundation
import Postgres

/// A word that is typed again before something is destroyed, by hand or in an option.
struct TypedConfirmation {
    private let wanted: String
    private let given: String?

    /// `given` is what an option has said already.
    init(of wanted: String, given: String?) {
        (self.wanted, self.given) = (wanted, given)
    }

    /// Asks for it on a terminal, unless an option has given it.
    ///
    /// - Throws: when it is not typed, or is another; nothing was done. The hint gets the word as a shell takes it.
    func ask(_ question: String, refusal: String, hint: (ShellWord) -> String, _ output: Output) throws {
        var typed = given
        if typed == nil, isatty(STDIN_FILENO) == 1, output.isTerminal {
            output.talk(prose: question)
            typed = readLine()
        }
        // Byte by byte, as the server compares names.
        guard let typed, typed.utf8.elementsEqual(wanted.utf8) else {
            throw PostgresError(
                refusal,
                detail: typed == nil
                    ? "Nothing was done: there is nobody who could type \"\(wanted)\"."
                    : "Nothing was done: what was typed is not \"\(wanted)\".",
                hint: hint(ShellWord(wanted))
            )
        }
    }
}
