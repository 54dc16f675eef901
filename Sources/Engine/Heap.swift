private import CMalloc

/// What the C library does with memory that is free again.
///
/// glibc gives every thread that finds another one allocating an arena of its own, up to eight for each processor, and keeps
/// what is freed in each (mallopt(3)). Our connections have a thread each, and what they read of a catalog is large and soon
/// gone: with 10,000 tables two thirds of what the process held was free.
package enum Heap {
    /// Has all threads share one arena, and large blocks go back to the system when they are freed.
    ///
    /// To be called before there are threads. Small blocks come from caches that each thread has anyway.
    package static func beShared() {
        mallopt(M_ARENA_MAX, 1)
        // Numbers that are set do not grow by themselves.
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }

    /// Gives what is free back to the system: after a step that needed much, before one that lasts.
    package static func giveBack() {
        malloc_trim(0)
    }
}
