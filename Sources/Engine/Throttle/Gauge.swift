/// Whether something is over its limit, told so that it does not flap: it is from the first look that is above, until three
/// looks in a row were not.
struct Gauge: Sendable {
    private static let calmLooks = 3

    /// What was seen above the limit last, for people; nil while it is not over.
    private(set) var text: String?
    private var calm = 0

    /// Takes a look; `above` tells what is above the limit, or nil.
    mutating func look(_ above: String?) {
        if let above {
            (text, calm) = (above, 0)
        } else if text != nil {
            calm += 1
            if calm >= Self.calmLooks { text = nil }
        }
    }
}
