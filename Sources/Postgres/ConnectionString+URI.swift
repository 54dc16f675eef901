import Foundation

extension ConnectionString {
    /// The URI form with everything in it, the password too: what a person pastes into a shell without quotes.
    ///
    /// A socket directory stands percent-encoded in the place of the host, which libpq understands.
    package var secretURI: String {
        func encoded(_ text: String) -> String {
            text.addingPercentEncoding(withAllowedCharacters: Self.unreserved) ?? text
        }
        var text = "postgresql://"
        if let user = self["user"] {
            text += encoded(user) + (self["password"].map { ":" + encoded($0) } ?? "") + "@"
        }
        text += encoded(self["host"] ?? "") + (self["port"].map { ":" + $0 } ?? "")
        text += "/" + encoded(self["dbname"] ?? "")
        let inPlace: Set<String> = ["user", "password", "host", "port", "dbname"]
        // An address that is none, or that of the host, is of no use to people.
        let isPlain = self["hostaddr"].map { $0.isEmpty || $0 == self["host"] } ?? false
        let parameters = keywords.filter {
            !inPlace.contains($0) && !(isPlain && $0 == "hostaddr")
        }.sorted().map { keyword in
            "\(keyword)=\(encoded(self[keyword] ?? ""))"
        }
        return parameters.isEmpty ? text : text + "?" + parameters.joined(separator: "&")
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    )
}
