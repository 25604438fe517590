//! What is said to persons who log in at an identity provider, in two languages.

/// The words.
#[derive(Debug)]
pub(crate) struct Words {
    /// On the button, where the server was told nothing else.
    pub(crate) button: &'static str,
    /// Between the form and the button.
    pub(crate) or: &'static str,
    /// The way out of every page that says no.
    pub(crate) back: &'static str,
    /// The provider knows her, and her claims give no role.
    pub(crate) no_role: &'static str,
    pub(crate) over: &'static str,
    pub(crate) declined: &'static str,
    pub(crate) not_believed: &'static str,
    pub(crate) unreachable: &'static str,
    /// Our session is over; that of the provider may not be.
    pub(crate) logged_out: &'static str,
    pub(crate) log_out_there: &'static str,
    pub(crate) no_end: &'static str,
}

impl Words {
    pub(crate) const ENGLISH: Words = Words {
        button: "Log in with the company's account",
        or: "or",
        back: "Back to the login",
        no_role: "Your account may not use this server. Ask whoever looks after accounts in your company to give you one of the roles or groups that open it; then log in again.",
        over: "This login took longer than ten minutes, was used already, or began in another browser or window. Begin it again.",
        declined: "The identity provider did not log you in. Try again, or ask whoever looks after accounts in your company.",
        not_believed: "What the identity provider answered cannot be verified, so nobody was logged in. Try again; if it stays so, tell whoever runs this server: its log says more.",
        unreachable: "The identity provider cannot be reached, or does not answer as it should. Try again in a moment; this server's log says more.",
        logged_out: "You are logged out here. At the identity provider you may still be logged in.",
        log_out_there: "Log out there, too",
        no_end: "The identity provider offers no logout to other programs; log out on its own pages.",
    };

    pub(crate) const CHINESE: Words = Words {
        button: "使用公司账号登录",
        or: "或",
        back: "返回登录页",
        no_role: "您的账号无权使用此服务。请联系公司的账号管理员为您分配相应的角色或群组，然后重新登录。",
        over: "此次登录已超过十分钟、已被使用，或是在其他浏览器或窗口中开始的。请重新开始。",
        declined: "身份提供方未让您登录。请重试，或联系公司的账号管理员。",
        not_believed: "无法验证身份提供方的答复，因此没有登录。请重试；若仍如此，请告知此服务的运维人员，服务日志中有详情。",
        unreachable: "无法连接身份提供方，或其答复不正确。请稍后再试，服务日志中有详情。",
        logged_out: "您已在此退出。在身份提供方处可能仍处于登录状态。",
        log_out_there: "同时在那里退出",
        no_end: "身份提供方不支持由其他程序发起退出，请在其自己的页面上退出。",
    };
}
